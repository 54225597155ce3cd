import type { Client } from "pg";
import type { Operation } from "../../contract/events.ts";
import { withClient } from "../migrations/client.ts";
import { runPgtap, type PgtapResult } from "../migrations/pgtap.ts";
import { databaseUrl } from "../migrations/url.ts";
import { compareFacts } from "../schema-facts/compare.ts";
import { readFacts } from "../schema-facts/read.ts";
import { changing, recordOf, type Branches } from "./lifecycle.ts";
import { mergeSchemas } from "./merge/three-way.ts";

/** A table that the tests make in the branch. */
const PROBE = "public.exai_branch_probe";

export interface BranchTest extends PgtapResult {
  readonly name: string;
}

/**
 * Runs supabase/tests/branches on a branch. What they compare with is read from main, which nothing is written to, and given to
 * them as settings: what main has, and what a merge of two changes of one column says. The tests leave nothing in the branch.
 */
export async function* testBranch(
  branches: Branches,
  name: string,
  options: { readonly root?: string; readonly signal?: AbortSignal } = {},
): Operation<BranchTest> {
  return yield* changing(branches, "branch test", async function* () {
    const { withData = branches.host.kind === "local" } = await recordOf(branches, name);
    const url = await branches.host.url(name);
    const before = await readFacts(branches.main);
    await run(url, `drop table if exists ${PROBE}`);
    const merge = await tryMerge(url);
    const settings = async () => ({
      "exai.host": branches.host.kind,
      "exai.data": String(withData),
      "exai.merge": JSON.stringify(merge),
      "exai.main": JSON.stringify({
        ...(await withClient(databaseUrl(branches.main), mainState)),
        changed: (await compareFacts(before, await readFacts(branches.main))).map(({ object }) => object).join(", "),
      }),
    });
    try {
      const given = await settings();
      const directory = "branches";
      const tests = yield* runPgtap(url, {
        ...options,
        directory,
        settings: given,
        only: (file) => !file.includes("cleanup"),
      });
      await run(url, `drop table if exists ${PROBE}`);
      const last = yield* runPgtap(url, {
        ...options,
        directory,
        settings: given,
        only: (file) => file.includes("cleanup"),
      });
      return {
        name,
        passed: tests.passed + last.passed,
        failed: tests.failed + last.failed,
        files: [...tests.files, ...last.files],
      };
    } finally {
      await run(url, `drop table if exists ${PROBE}`);
    }
  });
}

async function run(url: string, sql: string): Promise<void> {
  await withClient(databaseUrl(url), (client) => client.query(sql));
}

/** Merges two types of one column, each of which the branch really has for a moment. */
async function tryMerge(url: string): Promise<Readonly<Record<string, unknown>>> {
  await run(url, `create table ${PROBE} (n int); insert into ${PROBE} values (1)`);
  const base = await readFacts(url);
  await run(url, `alter table ${PROBE} alter n type bigint`);
  const main = await readFacts(url);
  await run(url, `alter table ${PROBE} alter n type numeric`);
  const branch = await readFacts(url);
  await run(url, `alter table ${PROBE} alter n type int`);
  const { conflicts } = await mergeSchemas(base, main, branch);
  const sides = new Map(conflicts.map(({ object }) => [object, "branch"] as const));
  const resolved = await mergeSchemas(base, main, branch, sides);
  const column = resolved.merged.facts().find(({ id }) => id.kind === "column" && id.table === "exai_branch_probe");
  const typeOf = (version = "{}") => (JSON.parse(version) as { type?: string }).type;
  return {
    conflicts: conflicts.map(({ object }) => object),
    versions: conflicts.flatMap((conflict) => [typeOf(conflict.main), typeOf(conflict.branch)]),
    resolved: resolved.conflicts.length === 0 ? column?.payload.type : "",
  };
}

/** What the tests compare the branch with. */
async function mainState(client: Client): Promise<Readonly<Record<string, unknown>>> {
  const sizes = (kind: string, size: string) =>
    `(select coalesce(jsonb_object_agg(format('%I.%I', n.nspname, c.relname), ${size}(c.oid)), '{}')
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = '${kind}' and n.nspname = 'public')`;
  const { rows } = await client.query<Record<string, unknown>>(
    `select ${sizes("r", "pg_table_size")} as tables, ${sizes("i", "pg_relation_size")} as indexes,
       (select jsonb_agg(extname) from pg_extension where extname <> 'pgtap') as extensions,
       pg_postmaster_start_time()::text as started,
       (select concat_ws(' ', system_identifier, inet_server_addr(), inet_server_port()) from pg_control_system()) as server, to_regclass('${PROBE}') is not null as probe`,
  );
  return rows[0] ?? {};
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import pg from "pg";
import { UserError } from "../../contract/errors.ts";
import { fix } from "../../contract/fix.ts";
import { withClient } from "../migrations/client.ts";
import { relation } from "../migrations/relation.ts";
import { databaseUrl } from "../migrations/url.ts";
import type { RestorePlace, ScratchServer } from "./scratch.ts";

/** A table that was copied back. */
export interface CopiedTable {
  /** With its schema. */
  readonly table: string;
  /** Name of the copy, with its schema. */
  readonly as: string;
  readonly rows: number;
}

/**
 * Copies a table of a promoted scratch server into the database, under another name: `t_restored_20261129t143005`. The copy has
 * columns, defaults, checks, keys and indexes, no foreign keys, triggers or policies; its row-level security is enabled and forced, so
 * only the owner reads it. The rows are compared after the copy.
 *
 * @throws UserError if there is no such table, or the database has a table of the copy's name
 */
export async function copyTable(
  server: ScratchServer,
  place: RestorePlace,
  table: string,
  at: Date,
): Promise<CopiedTable> {
  const [schema = "public", name = ""] = table.split(".");
  const copy = copyName(name, at);
  const [from, to] = [relation(schema, name), relation(schema, copy)];
  const exists = await server.sql(`select to_regclass(${pg.escapeLiteral(from)}) is not null`);
  if (exists !== "t")
    throw new UserError("not-found", table, "is not a table at the restored time", "name it with its schema");
  await server.run(["exai-scratch", "sql", `--set=from=${from}`, `--set=to=${to}`, `--file=${PREPARE}`]);
  await pipe(
    ["exec", server.container, "pg_dump", "--no-owner", "--no-privileges", `--table=${to}`],
    ["exec", "--interactive", "--env", "PGPASSWORD", databaseOf(place), ...PSQL, "--single-transaction"],
    place,
    table,
  );
  const digest = `select count(*), coalesce(sum(hashtextextended(r::text, 0)::numeric), 0) from ${to} as r`;
  const [wanted, present] = [await server.sql(digest), await inDatabase(place, digest)];
  if (wanted !== present)
    throw new UserError("failed", table, `the copy differs: ${present} instead of ${wanted}`, fix`drop table ${to}`);
  return { table: `${schema}.${name}`, as: `${schema}.${copy}`, rows: Number(wanted.split("|")[0]) };
}

/** Name of the copy of a table. */
export function copyName(name: string, at: Date): string {
  const stamp = at.toISOString().slice(0, 19).replace(/[-:]/g, "").toLowerCase();
  return `${name.slice(0, 63 - "_restored_".length - stamp.length)}_restored_${stamp}`;
}

/** Program of the image that makes the copy next to its table. */
const PREPARE = "/usr/share/exai/prepare-copy.sql";

const PSQL = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "/run/postgresql", "-U", "postgres", "postgres"];

function databaseOf({ instance }: RestorePlace): string {
  return `${instance}-postgres`;
}

async function inDatabase({ url }: RestorePlace, sql: string): Promise<string> {
  const query = (client: pg.Client) => client.query<unknown[]>({ text: sql, rowMode: "array" });
  const { rows } = await withClient(databaseUrl(url), query, { application: "exai restore" });
  return rows.map((row) => row.join("|")).join("\n");
}

/** Runs `docker <source> | docker <sink>`: a table may not fit into memory. */
async function pipe(
  source: readonly string[],
  sink: readonly string[],
  { url }: RestorePlace,
  table: string,
): Promise<void> {
  const env = { ...process.env, PGPASSWORD: databaseUrl(url).password };
  const reader = spawn("docker", source, { stdio: ["ignore", "pipe", "pipe"] });
  const writer = spawn("docker", sink, { env, stdio: ["pipe", "ignore", "pipe"] });
  writer.stdin.on("error", () => undefined); // its exit code shows the failure
  reader.stdout.pipe(writer.stdin);
  const results = await Promise.all(
    [writer, reader].map(async (child) => {
      const [[code], problem] = await Promise.all([
        once(child, "close") as Promise<[number | null]>,
        text(child.stderr),
      ]);
      return { code, problem };
    }),
  );
  const failed = results.find(({ code }) => code !== 0);
  if (failed === undefined) return;
  throw new UserError(
    "failed",
    table,
    `cannot be copied: ${failed.problem.trim().split("\n")[0] ?? ""}`,
    "correct what the message names, then run the command again",
  );
}

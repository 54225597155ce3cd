import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "../operations/docker/process.ts";
import { openServer, type Postgres } from "../policies/database/postgres.ts";
import { readDeclarations, readSchema } from "../policies/database/schema.ts";
import { prove } from "../policies/proof/prove.ts";
import { SCHEMA, SOUND, tableWith, UNSOUND } from "../tests/policies/proof/policies.ts";

// cspell:ignore pgrst

/**
 * The proof of policies compared with Supabase's linter and with pgrls on the same tables of a real PostgreSQL: each table has
 * policies that are right, or that let through what they should not.
 *
 *   EXAI_POSTGRES_URL=postgres://… node bench/policies-rls.ts [checkout of supabase/splinter]
 *
 * The URL is a superuser's; the database is dropped afterwards. `git clone https://github.com/supabase/splinter` and
 * `pip install pgrls` provide the other two; one that is not there is left out, with a line that says so. A table counts as
 * found if a tool reports an error or a warning about its security.
 */
const url = process.env.EXAI_POSTGRES_URL;
if (url === undefined) {
  console.error("EXAI_POSTGRES_URL is not set: the URL of a superuser of a PostgreSQL server");
  process.exit(2);
}

interface Result {
  readonly tool: string;
  readonly seconds: number;
  /** Names of the tables that it reports. */
  readonly tables: ReadonlySet<string>;
}

const missing: string[] = [];
const results: Result[] = [];
const postgres = await openServer(url);
try {
  const prelude = fileURLToPath(new URL("../supabase/prelude.sql", import.meta.url));
  await postgres.run(readFileSync(prelude, "utf8"));
  await postgres.run(SCHEMA);
  for (const [name, policies] of [...Object.entries(SOUND), ...Object.entries(UNSOUND)])
    await postgres.run(tableWith(name, policies));
  results.push(await timed("exai, the proof", () => proof(postgres)));
  const checkout = process.argv[2];
  const lints = checkout === undefined ? undefined : join(checkout, "splinter.sql");
  if (lints !== undefined && existsSync(lints)) results.push(await timed("splinter", () => splinter(postgres, lints)));
  else missing.push("splinter: git clone https://github.com/supabase/splinter, and give its folder as an argument");
  const version = await runProgram("pgrls", ["--version"]).catch(() => undefined);
  if (version?.code === 0) {
    results.push(await timed("pgrls lint", pgrlsLint));
    results.push(await timed("pgrls verify: leaks", () => pgrlsVerify(["leak"])));
    results.push(await timed("pgrls verify: leaks and what is not proved", () => pgrlsVerify(["leak", "unverified"])));
  } else missing.push("pgrls: pip install pgrls");
} finally {
  await postgres.close();
}

const [sound, unsound] = [Object.keys(SOUND), Object.keys(UNSOUND)];
console.log(`| tool | found of ${unsound.length} | false alarms of ${sound.length} | seconds |`);
console.log("| --- | ---: | ---: | ---: |");
for (const { tool, tables, seconds } of results) {
  const count = (names: readonly string[]) => names.filter((name) => tables.has(name)).length;
  console.log(`| ${tool} | ${count(unsound)} | ${count(sound)} | ${seconds.toFixed(2)} |`);
}
for (const { tool, tables } of results) {
  const list = (names: readonly string[], reported: boolean) => names.filter((name) => tables.has(name) === reported);
  console.log(`${tool} does not find: ${list(unsound, false).join(", ")}`);
  console.log(`${tool} reports without need: ${list(sound, true).join(", ")}`);
}
for (const line of missing) console.log(`left out: ${line}`);

async function timed(tool: string, judge: () => Promise<ReadonlySet<string>>): Promise<Result> {
  const start = performance.now();
  const tables = await judge();
  return { tool, tables, seconds: (performance.now() - start) / 1000 };
}

async function proof(database: Postgres): Promise<ReadonlySet<string>> {
  const schema = await readSchema(database, ["anon", "authenticated"], () => undefined);
  const proofs = prove(schema, await readDeclarations(database, schema));
  return new Set(proofs.flatMap(({ table, failures }) => (failures.length > 0 ? [table.replace("public.", "")] : [])));
}

/** Its lints of the category SECURITY, except for those that report every table with a grant. */
async function splinter(database: Postgres, file: string): Promise<ReadonlySet<string>> {
  await database.run("begin; set local pgrst.db_schemas = 'public'");
  try {
    const rows = await database.run(readFileSync(file, "utf8"));
    return new Set(
      rows.flatMap((row) => {
        const { name } = row.metadata as { name?: string };
        const counts =
          row.level !== "INFO" &&
          String(row.categories).includes("SECURITY") &&
          !String(row.name).startsWith("pg_graphql");
        return counts && name !== undefined ? [name] : [];
      }),
    );
  } finally {
    await database.run("rollback");
  }
}

async function pgrlsLint(): Promise<ReadonlySet<string>> {
  const { violations } = (await pgrls(["lint"])) as {
    violations: readonly { rule_id: string; severity: string; location: string | null }[];
  };
  return new Set(
    violations.flatMap(({ rule_id: rule, severity, location }) =>
      rule.startsWith("SEC") && severity !== "info" ? [location?.split(".")[1] ?? ""] : [],
    ),
  );
}

/** Its three proofs; a table counts if one of them has one of these verdicts. */
async function pgrlsVerify(counted: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const mode of ["anon", "cross-tenant", "write"]) {
    const { tables } = (await pgrls(["verify", "--mode", mode])) as {
      tables: readonly { table: string; verdict: string }[];
    };
    for (const { table, verdict } of tables) if (counted.includes(verdict)) found.add(table.replace("public.", ""));
  }
  return found;
}

async function pgrls(command: readonly string[]): Promise<unknown> {
  const [row] = await postgres.run("select current_database() as name");
  const target = new URL(url ?? "");
  target.pathname = `/${String(row?.name)}`;
  const ran = await runProgram("pgrls", [
    ...command,
    ...["--database-url", target.href, "--schemas", "public", "--format", "json"],
  ]);
  return JSON.parse(ran.stdout);
}

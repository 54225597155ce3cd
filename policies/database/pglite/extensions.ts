import { readdirSync, readFileSync } from "node:fs";
import type { Extension } from "@electric-sql/pglite";
import { filesExtension } from "./files.ts";

const SHAPES = new URL("./extensions/", import.meta.url);
/** Where PostgreSQL looks for extensions in PGlite. */
const DIRECTORY = "/pglite/share/postgresql/extension";
/** Control files of those that prescribe a schema or may not be moved to another one. */
const CONTROL: Readonly<Record<string, string>> = {
  pg_cron: "schema = pg_catalog\n",
  pg_graphql: "schema = graphql\n",
  pg_net: "",
  pgmq: "schema = pgmq\n",
  pgsodium: "schema = pgsodium\n",
  postgis: "",
  supabase_vault: "schema = vault\n",
};

/**
 * Extensions that measure, advise, test or repack, and give no role a right: nothing of a database is judged otherwise with them than
 * without. Their shape is empty; a migration that calls their functions needs a server that has them.
 */
const EMPTY: ReadonlySet<string> = new Set([
  "address_standardizer",
  "address_standardizer_data_us",
  "hypopg",
  "index_advisor",
  "pg_hashids",
  "pg_prewarm",
  "pg_repack",
  "pg_stat_monitor",
  "pg_wait_sampling",
  "pgaudit",
  "pgrowlocks",
  "pgstattuple",
  "pgtap",
  "plpgsql_check",
  "rum",
  "sslinfo",
]);

/** Schemas that a project of Supabase has before these extensions are created. */
export const SCHEMAS_OF_SHAPES: Readonly<Record<string, string>> = { pg_graphql: "graphql", pgsodium: "pgsodium" };

/** What a project of Supabase has in the schema `extensions` from the start, with the functions by which files need it. */
const PREINSTALLED: Readonly<Record<string, RegExp>> = {
  "uuid-ossp": /\buuid_(?:generate_v\d|nil|ns_\w+)\s*\(/i,
  pgcrypto: /\b(?:crypt|gen_salt|gen_random_bytes|digest|hmac|encrypt|decrypt|armor|dearmor|pgp_\w+)\s*\(/i,
  pg_stat_statements: /\bpg_stat_statements/i,
};

/** The extensions that files use and do not create, and a project of Supabase has. */
export function preinstalledFor(text: string): readonly string[] {
  return Object.entries(PREINSTALLED).flatMap(([name, use]) =>
    use.test(text) && !new RegExp(`create\\s+extension\\s+(?!if\\s+not\\s+exists)"?${name}\\b`, "i").test(text)
      ? [name]
      : [],
  );
}

/** Contrib modules the functions of which these shapes use. */
export const MODULES_OF_SHAPES: Readonly<Record<string, readonly string[]>> = { postgis: ["btree_gist"] };

/** Names of the extensions whose shape the project has, for PGlite, which lacks them. */
export function shapes(): readonly string[] {
  return [
    ...readdirSync(SHAPES)
      .filter((name) => name.endsWith(".sql"))
      .map((name) => name.replace(/\.sql$/, "")),
    ...EMPTY,
  ];
}

/** The text of a shape. */
export function shapeOf(name: string): string {
  if (EMPTY.has(name)) return "";
  return readFileSync(new URL(`${name}.sql`, SHAPES), "utf8");
}

/** An extension with the objects of the real one and nothing behind them: enough to judge who may do what. */
export function shapedExtension(name: string): Extension {
  const own = CONTROL[name];
  const control = `default_version = '1'\n${own === undefined ? "relocatable = true\n" : `relocatable = false\n${own}`}`;
  return filesExtension(name, (files) => {
    files.mkdirTree(DIRECTORY);
    files.writeFile(`${DIRECTORY}/${name}.control`, control);
    files.writeFile(`${DIRECTORY}/${name}--1.sql`, shapeOf(name));
  });
}

import { randomBytes } from "node:crypto";
import type { Extension } from "@electric-sql/pglite";
import { clusterOf, preparedCluster } from "./pglite/cluster.ts";
import { MODULES_OF_SHAPES, SCHEMAS_OF_SHAPES, shapedExtension, shapes } from "./pglite/extensions.ts";

/** A row of a result. */
export type Row = Readonly<Record<string, unknown>>;

/** Excludes PostgreSQL's own schemas, in a query with pg_namespace as `n`. */
export const USER_SCHEMAS = "n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'";

/** The search path of every session of a project of Supabase. */
export const USUAL_PATH = `set search_path = "$user", public, extensions`;

/** A scratch database, which is dropped after use. */
export interface Postgres {
  /** E.g. `PGlite (PostgreSQL 18.6)`. */
  readonly name: string;
  /** Runs one or more statements. The rows are those of the last one, or of the one at a place, from 0. */
  run(sql: string, at?: number): Promise<readonly Row[]>;
  close(): Promise<void>;
}

// cspell:ignore autoinc moddatetime refint

/** Extensions of the contrib module `spi`. */
const SPI: ReadonlySet<string> = new Set(["autoinc", "insert_username", "moddatetime", "refint"]);

/** PostgreSQL fills its buffers when it starts: the 128 MB of its default take longer than all rows of a scratch database need. */
const BUFFERS = "32MB";

/**
 * PostgreSQL compiled to WebAssembly, in memory. `extensions` are the names of those that the migrations create: contrib modules,
 * and the shapes of some of Supabase's. Others are ignored, and `create extension` then fails as on a server without them.
 */
export async function openPglite(extensions: readonly string[]): Promise<Postgres> {
  const archive = preparedCluster(); // unpacked by a thread of Node, while the modules load
  const { PGlite } = await import("@electric-sql/pglite");
  const loaded: Record<string, Extension> = {};
  const shaped = new Set(shapes());
  for (const name of [...extensions, ...extensions.flatMap((extension) => MODULES_OF_SHAPES[extension] ?? [])]) {
    const module = name.replaceAll("-", "_");
    if (shaped.has(name)) loaded[module] = shapedExtension(name);
    else if (SPI.has(name)) loaded.spi = { name: "spi", setup: () => Promise.resolve({ bundlePath: spiBundle() }) };
    else
      try {
        const found = (await import(`@electric-sql/pglite/contrib/${module}`)) as Record<string, Extension | undefined>;
        const extension = found[module];
        if (extension !== undefined) loaded[module] = extension;
      } catch {
        // PGlite does not have this module.
      }
  }
  loaded.cluster = clusterOf(await archive);
  const database = await PGlite.create({
    extensions: loaded,
    startParams: [...PGlite.defaultStartParams, "-c", `shared_buffers=${BUFFERS}`],
  });
  const postgres: Postgres = {
    name: "",
    run: async (sql, at = -1) => ((await database.exec(sql)).at(at)?.rows as readonly Row[] | undefined) ?? [],
    close: () => database.close(),
  };
  for (const extension of extensions) {
    const schema = SCHEMAS_OF_SHAPES[extension];
    if (schema !== undefined) await postgres.run(`create schema if not exists ${schema}`);
  }
  return { ...postgres, name: `PGlite (PostgreSQL ${await versionOf(postgres)})` };
}

/** PGlite 0.5.16 names another file for these modules, which its package lacks. */
function spiBundle(): URL {
  return new URL("./spi.tar.gz", import.meta.resolve("@electric-sql/pglite"));
}

/**
 * A new database on a server, dropped by `close`. `url` is a superuser's; roles that the migrations create remain.
 *
 * @param limit milliseconds after which the server ends a statement. @default never
 */
export async function openServer(url: string, limit = 0): Promise<Postgres> {
  const { default: pg } = await import("pg");
  const name = `exai_plan_${randomBytes(6).toString("hex")}`;
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query(`create database ${name} template template0`);
  const target = new URL(url);
  target.pathname = `/${name}`;
  const client = new pg.Client({ connectionString: target.href, statement_timeout: limit });
  await client.connect();
  const postgres: Postgres = {
    name: "",
    run: async (sql, at = -1) => {
      const result = (await client.query(sql)) as unknown as { rows: Row[] } | { rows: Row[] }[];
      return (Array.isArray(result) ? result.at(at)?.rows : result.rows) ?? [];
    },
    close: async () => {
      await client.end();
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
  return { ...postgres, name: `PostgreSQL ${await versionOf(postgres)}` };
}

/**
 * The rows of a query as one JSON text. The drivers read arrays in different ways, and PGlite takes longer to read some hundred rows than
 * PostgreSQL to find them.
 */
export async function rowsAsJson<Item = Row>(postgres: Postgres, query: string): Promise<Item[]> {
  const [row] = await postgres.run(`select coalesce(pg_catalog.json_agg(q), '[]')::text as json from (${query}) q`);
  return JSON.parse(String(row?.json)) as Item[];
}

async function versionOf(postgres: Postgres): Promise<string> {
  const [row] = await postgres.run("select current_setting('server_version') as version");
  return String(row?.version).split(" ")[0] ?? "";
}

/** A string as a SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A name as a SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The SQLSTATE of an error of the database. */
export function sqlState(error: unknown): string | undefined {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : undefined;
}

/** The message of an error of the database. */
export function messageOf(error: unknown): string {
  return (error as { readonly message: string }).message;
}

import pg from "pg";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { PARKED_SCHEMA } from "../../contract/sql/parked.ts";
import { clientOptions, databaseUrl } from "../migrations/url.ts";
import { loadPgDelta, type ExtensionHandler, type FactBase, type StableId } from "./pg-delta.ts";

/** The schema of a database, as facts about its objects. */
export interface SchemaFacts {
  /** Facts of everything, for {@link planSteps}. */
  readonly all: FactBase;
  /**
   * Facts of what the project manages: without the objects and roles that Supabase itself brings. They are sorted out at the first use,
   * since most schemas are only compared, and are equal.
   */
  readonly managed: FactBase;
  /** Such as `15.18`. */
  readonly serverVersion: string;
}

/**
 * Reads the schema of a database in one read-only transaction.
 *
 * @throws UserError `unavailable` if it cannot be read, `failed` if it has objects of a kind that cannot be compared
 */
export async function readFacts(url: string): Promise<SchemaFacts> {
  const database = databaseUrl(url);
  const pool = new pg.Pool({ ...clientOptions(database), application_name: "exai schema", max: 1 });
  // A connection that breaks fails its query. Without a listener it would also end the process.
  pool.on("error", () => undefined);
  try {
    return await factsOf(pool, database.display);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
    const problem = `its schema cannot be read: ${reason}`;
    throw new UserError(
      "unavailable",
      database.display,
      problem,
      fix`${command("up")}, then check the database's URL`,
      {
        cause,
      },
    );
  } finally {
    await pool.end().catch(() => undefined);
  }
}

/**
 * The facts that a pool's database gives.
 *
 * @param where names the database in errors
 * @throws UserError `failed` if the database has objects of a kind that the facts do not have: no comparison would see them
 */
export async function factsOf(pool: pg.Pool, where: string): Promise<SchemaFacts> {
  const { extract, supabaseProfile } = await loadPgDelta();
  const handlers = supabaseProfile.handlers.map(withoutOwnJobs);
  const { factBase: found, pgVersion, diagnostics } = await extract(pool, { handlers });
  const factBase = await withoutParked(found);
  const unknown = diagnostics.filter(({ code }) => code === "unmodeled_kind");
  if (unknown.length > 0)
    throw new UserError(
      "failed",
      where,
      `has objects of a kind that cannot be compared: ${unknown.map(({ message }) => message).join("; ")}`,
      "drop them, or keep them in an extension",
    );
  return schemaFacts(factBase, pgVersion);
}

/** What merges and reverts of branches keep is not part of a schema. */
async function withoutParked(facts: FactBase): Promise<FactBase> {
  const { buildFactBase, encodeId } = await loadPgDelta();
  const parked = new Set<string>();
  const add = (id: StableId) => {
    parked.add(encodeId(id));
    for (const part of facts.childrenOf(id)) add(part.id);
  };
  const schema: StableId = { kind: "schema", name: PARKED_SCHEMA };
  if (!facts.has(schema)) return facts;
  add(schema);
  return buildFactBase(
    facts.facts().filter(({ id }) => !parked.has(encodeId(id))),
    facts.edges.filter(({ from, to }) => !parked.has(encodeId(from)) && !parked.has(encodeId(to))),
  );
}

/** Jobs of pg_cron that the project schedules where pg_cron is: the schema does not contain them. */
const OWN_JOBS = "exai-";

function withoutOwnJobs(handler: ExtensionHandler): ExtensionHandler {
  const isOwn = (id: StableId) => id.kind === "extensionIntent" && id.ext === "pg_cron" && id.key.startsWith(OWN_JOBS);
  return {
    ...handler,
    capture: async (...given) => {
      const { facts, edges, ...rest } = await handler.capture(...given);
      return {
        ...rest,
        facts: facts.filter(({ id }) => !isOwn(id)),
        edges: edges.filter(({ from, to }) => !isOwn(from) && !isOwn(to)),
      };
    },
  };
}

/** A schema from the facts of everything. */
export async function schemaFacts(all: FactBase, serverVersion: string): Promise<SchemaFacts> {
  const { resolveView, supabasePolicy } = await loadPgDelta();
  let managed: FactBase | undefined;
  return {
    all,
    get managed() {
      return (managed ??= resolveView(all, supabasePolicy));
    },
    serverVersion,
  };
}

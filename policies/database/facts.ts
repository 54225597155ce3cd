import type { SourcePosition } from "../../contract/graph.ts";

/** What the migrations make, read from the catalog of a real PostgreSQL after all of them, and what probing it showed. */
export interface Database {
  /** Server and version, e.g. `PGlite (PostgreSQL 18.6)`. */
  readonly server: string;
  /** Whether the facts come from an earlier run over the very same inputs. */
  readonly cached: boolean;
  /** Migration files in the order of their application, relative to the project's root. */
  readonly migrations: readonly string[];
  readonly statements: readonly Statement[];
  readonly tables: readonly Table[];
  readonly policies: readonly Policy[];
  readonly views: readonly View[];
  readonly functions: readonly Function[];
  readonly grants: readonly Grant[];
  readonly memberships: readonly Membership[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly probes: readonly Probe[];
}

/** What carries a name and a place in a migration. */
export interface Located {
  /** Schema-qualified. */
  readonly name: string;
  /** The statement that made it, or changed it last. */
  readonly source?: SourcePosition;
}

/** A statement of a migration. */
export interface Statement {
  readonly source: SourcePosition;
  /** Text without comments, blanks collapsed. */
  readonly text: string;
  /** Whether a `lock_timeout` was set when it ran. */
  readonly lockTimeout: boolean;
  /** Locks that it took on tables that an earlier migration made: `public.messages AccessExclusiveLock`. */
  readonly locks: readonly string[];
  /** Tables and columns of earlier migrations that it removed or whose content it made unreadable. */
  readonly removed: readonly string[];
}

export interface Table extends Located {
  readonly kind: "table" | "partitioned table" | "partition" | "foreign table";
  readonly rowSecurity: boolean;
  readonly forced: boolean;
  readonly owner: string;
  /** Whether an API role may name its schema. */
  readonly exposed: boolean;
}

/** The four commands that a policy can be for. */
export type Command = "select" | "insert" | "update" | "delete";

export interface Policy extends Located {
  readonly table: string;
  readonly commands: readonly Command[];
  readonly permissive: boolean;
  /** Role names; `public` is everybody. */
  readonly roles: readonly string[];
  readonly using?: string;
  readonly check?: string;
  /** Columns of the table that the expressions read. */
  readonly columns: readonly string[];
  /** Those of {@link columns} that no index of the table has as its first column. */
  readonly unindexed: readonly string[];
  /** Functions that the expressions call, `schema.name`. */
  readonly calls: readonly string[];
  /** Bodies of functions of the project that the expressions call, and of those that these call. */
  readonly bodies: readonly string[];
  /** Whether rows that belong to somebody else passed, per role and expression; see {@link Evaluation}. */
  readonly evaluations: readonly Evaluation[];
}

/** What an expression of a policy answered about rows that have nothing to do with the asking user. */
export interface Evaluation {
  readonly role: string;
  readonly expression: "using" | "check";
  /** Rows that were put to it. */
  readonly rows: number;
  /** Rows that it let through. */
  readonly passed: number;
  /** Why it could not be asked. */
  readonly error?: string;
}

export interface View extends Located {
  readonly kind: "view" | "materialized view";
  readonly invoker: boolean;
  /** API roles that may read it. */
  readonly readers: readonly string[];
}

export interface Function extends Located {
  readonly definer: boolean;
  /** The function's own `search_path`, if it sets one. */
  readonly searchPath?: string;
  /** API roles that may call it. */
  readonly callers: readonly string[];
  /** Whether PUBLIC may execute it, in whatever schema it is. */
  readonly everybody: boolean;
  readonly exposed: boolean;
  readonly trigger: boolean;
}

export interface Grant extends Located {
  readonly role: string;
  readonly privileges: readonly string[];
  readonly kind: "table" | "sequence" | "schema";
}

export interface Membership {
  readonly role: string;
  /** Roles on the way, ending with the dangerous one. */
  readonly path: readonly string[];
  readonly power: "superuser" | "bypassrls" | "createrole";
}

export interface ForeignKey extends Located {
  readonly table: string;
  readonly indexed: boolean;
}

/** One attempt of a role at rows that are not its own. */
export interface Probe {
  readonly table: string;
  readonly source?: SourcePosition;
  /** `anon`, or `authenticated` as a user who owns none of the rows. */
  readonly role: string;
  readonly command: Command | "give away";
  /** Rows that were there to be reached. */
  readonly rows: number;
  /** Rows that were reached. */
  readonly reached: number;
  /** Why it could not be tried. */
  readonly error?: string;
}

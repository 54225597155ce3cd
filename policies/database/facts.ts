import type { SourcePosition } from "../../contract/graph.ts";
import type { SupabaseConfig } from "../reading/supabase/config.ts";

/** The database after all migrations, read from the catalog of a real PostgreSQL, and the results of probing it. */
export interface Database {
  /** Server and version, e.g. `PGlite (PostgreSQL 18.6)`. */
  readonly server: string;
  /** Whether the facts are from an earlier run with the same inputs. */
  readonly cached: boolean;
  /** Migration files in the order of their application, relative to the project's root. */
  readonly migrations: readonly string[];
  /** Files that the Supabase CLI would not apply as they are meant. */
  readonly problems: readonly FileProblem[];
  /** The settings of the Supabase CLI; absent if the project has none. */
  readonly config?: SupabaseConfig;
  readonly statements: readonly Statement[];
  readonly tables: readonly Table[];
  readonly policies: readonly Policy[];
  readonly views: readonly View[];
  readonly functions: readonly Function[];
  readonly grants: readonly Grant[];
  readonly memberships: readonly Membership[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly probes: readonly Probe[];
  readonly proofs: readonly Proof[];
  /** What comments declare to be open. */
  readonly declarations: readonly DeclaredAccess[];
  readonly openings: readonly Opening[];
  readonly lostConstraints: readonly LostConstraint[];
  /** What the queue of backups does not do for its runner; absent if the migrations have none. */
  readonly backupQueue?: readonly string[];
  /** Roles that a request can get. */
  readonly apiRoles: readonly string[];
  /** Conditions of DO blocks that cannot be tried with their other answer. */
  readonly untried: readonly UntriedCondition[];
  /** The database where conditions of DO blocks have another answer; without probes. */
  readonly alternatives: readonly Alternative[];
}

/** An object with a name and a place in a migration. */
export interface Located {
  /** Schema-qualified. */
  readonly name: string;
  /** The statement that created it or changed it last. */
  readonly source?: SourcePosition;
}

/** A file that the Supabase CLI would skip, misread, or refuse. */
export interface FileProblem {
  readonly file: string;
  readonly message: string;
  readonly fix: string;
}

/** A statement of a migration. */
export interface Statement {
  readonly source: SourcePosition;
  /** Text without comments, with white space collapsed. */
  readonly text: string;
  /** Whether `lock_timeout` was set when it ran. */
  readonly lockTimeout: boolean;
  /** Locks that it took on tables of earlier migrations: `public.messages AccessExclusiveLock`. */
  readonly locks: readonly string[];
  /** Tables and columns of earlier migrations that it removed, emptied or changed the type of. */
  readonly removed: readonly string[];
  /** Roles whose password it has. */
  readonly passwords?: readonly string[];
  /** Why PostgreSQL, or the Supabase CLI, does not accept it; absent if it was applied. */
  readonly error?: string;
}

export interface Table extends Located {
  readonly kind: "table" | "partitioned table" | "partition" | "foreign table";
  readonly rowSecurity: boolean;
  readonly forced: boolean;
  readonly owner: string;
  /** Whether an API role can use its schema. */
  readonly exposed: boolean;
  /** API roles, and `public`, with a privilege on it or on a column. */
  readonly readers: readonly string[];
}

/** The commands to which a policy can apply. */
export type Command = "select" | "insert" | "update" | "delete";

export interface Policy extends Located {
  readonly table: string;
  readonly commands: readonly Command[];
  readonly permissive: boolean;
  /** Role names; `public` stands for all roles. */
  readonly roles: readonly string[];
  readonly using?: string;
  readonly check?: string;
  /** Columns of the table that the expressions read. */
  readonly columns: readonly string[];
  /** Those of {@link columns} that no index of the table has as its first column. */
  readonly unindexed: readonly string[];
  /** Functions that the expressions call, `schema.name`. */
  readonly calls: readonly string[];
  /** Bodies of the functions of the project that the expressions call, directly or through other functions. */
  readonly bodies: readonly string[];
  /** Whether an expression reads a claim once for each row. */
  readonly perRow: boolean;
  /** For each role and expression, whether rows of another user passed. */
  readonly evaluations: readonly Evaluation[];
}

/** The result of an expression of a policy for rows of another user. */
export interface Evaluation {
  readonly role: string;
  readonly expression: "using" | "check";
  /** Number of rows for which it was evaluated. */
  readonly rows: number;
  /** Number of rows that it accepted. */
  readonly passed: number;
  /** Why it could not be evaluated. */
  readonly error?: string;
}

export interface View extends Located {
  readonly kind: "view" | "materialized view";
  readonly invoker: boolean;
  /** API roles that can read it. */
  readonly readers: readonly string[];
}

export interface Function extends Located {
  readonly kind: "function" | "procedure" | "aggregate";
  /** With the types of its arguments, as PostgreSQL prints it: `public.total(integer,integer)`, quoted where necessary. */
  readonly signature: string;
  readonly definer: boolean;
  /** The function's own `search_path`, if it sets one. */
  readonly searchPath?: string;
  /** API roles that can call it. */
  readonly callers: readonly string[];
  /** Whether PUBLIC has EXECUTE on it, in any schema. */
  readonly public: boolean;
  readonly exposed: boolean;
  readonly trigger: boolean;
  /** Whether it only reads, and only rows that name its caller, for any arguments. */
  readonly ownRows?: boolean;
}

export interface Grant extends Located {
  readonly role: string;
  readonly privileges: readonly string[];
  readonly kind: "table" | "sequence" | "schema";
}

export interface Membership {
  readonly role: string;
  /** Roles from the member to the privileged role. */
  readonly path: readonly string[];
  /** An attribute, such as `bypassrls`, or a role of PostgreSQL, such as `pg_read_server_files`. */
  readonly power: string;
}

export interface ForeignKey extends Located {
  readonly table: string;
  readonly indexed: boolean;
}

/** An attempt of a role to access rows of another user. */
export interface Probe {
  readonly table: string;
  readonly source?: SourcePosition;
  /** `anon`, or `authenticated` as a user who owns none of the rows. */
  readonly role: string;
  readonly command: Command | "give away";
  /** Number of rows that exist. */
  readonly rows: number;
  /** Number of rows that the role reached. */
  readonly reached: number;
  /** Why it could not be tried. */
  readonly error?: string;
}

/** What the proof says about one command of one role on one table. Proved if there are no failures. */
export interface Proof {
  readonly table: string;
  readonly role: string;
  readonly command: Command;
  /** `using` judges rows that are there, `check` rows that are written. */
  readonly clause: "using" | "check";
  readonly failures: readonly ProofFailure[];
  readonly marks: readonly StaffMark[];
  /** A column of the table that policies compare with the caller's identifier. */
  readonly owner?: string;
}

/** A value of a column that says of a person that he works for the project. */
export interface StaffMark {
  readonly table: string;
  readonly column: string;
  readonly value: string;
}

/** A way in which a policy lets rows through that is not proved to be right. */
export interface ProofFailure {
  readonly policy: string;
  readonly source?: SourcePosition;
  /** The condition; empty if the policy is not understood. */
  readonly alternative: string;
  readonly why: string;
}

/** A line of a table's comment, or of a migration for a table of Supabase, e.g. `readable by anyone when status = 'published'`. */
export interface DeclaredAccess {
  readonly table: string;
  readonly source?: SourcePosition;
  readonly text: string;
  /** Why it cannot be read. */
  readonly error?: string;
  readonly commands: readonly Command[];
  readonly roles: readonly string[];
  /** The condition as PostgreSQL prints it; absent if all rows are open. */
  readonly when?: string;
}

/** A constraint that held other columns of a table to the owner of the row, and is gone. */
export interface LostConstraint extends Located {
  readonly message: string;
  /** SQL that brings it back. */
  readonly fix: string;
}

/** How something gives rights that its caller does not have. */
export type OpeningKind =
  | "bucket"
  | "claims"
  | "default-privilege"
  | "definer"
  | "event-trigger"
  | "owner"
  | "password"
  | "publication"
  | "rule"
  | "setting"
  | "supabase"
  | "trigger";

/** Something that acts with other rights than those of its caller, or gives them, and is not a table, policy or view. */
export interface Opening extends Located {
  readonly kind: OpeningKind;
  readonly message: string;
  /** SQL where one statement closes it. */
  readonly fix: string;
}

/** A condition whose other answer is not known to be harmless. */
export interface UntriedCondition {
  readonly source: SourcePosition;
  readonly text: string;
  readonly error: string;
  readonly fix?: string;
}

/** What the same migrations make of a database with other surroundings. */
export interface Alternative {
  /** The conditions that differ, e.g. `current_setting('server_version_num')::int < 180000`. */
  readonly conditions: readonly string[];
  readonly answer: boolean;
  readonly database: Database;
}

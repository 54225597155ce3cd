import type { SourcePosition } from "../../contract/graph.ts";
import type { Command } from "../database/facts.ts";

/** What the proof reads of the final catalog: plain data, all names schema-qualified. */
export interface Schema {
  readonly apiRoles: readonly string[];
  readonly relations: readonly Relation[];
  readonly clauses: readonly Clause[];
  readonly routines: readonly Routine[];
  /** Functions of pg_catalog by name, with the worst volatility of all that have the name. */
  readonly builtIn: readonly { readonly name: string; readonly volatility: "immutable" | "stable" | "volatile" }[];
  readonly aggregates: readonly string[];
  /** Enumerations whose casts from text and whose operators are PostgreSQL's own: each text is one value. */
  readonly enums: readonly string[];
  /** Whether there are operators or casts of the types of pg_catalog that it does not have; names in bodies may then mean those. */
  readonly ownOperators: boolean;
}

/** A table, view or foreign table. */
export interface Relation {
  readonly name: string;
  readonly rowSecurity: boolean;
  readonly columns: readonly Column[];
  /** Columns of each valid, immediate, unconditional unique index. */
  readonly unique: readonly (readonly string[])[];
  readonly references: readonly ForeignReference[];
  /** Definition of a view or materialized view. */
  readonly definition?: string | null;
  readonly comment?: string | null;
  /** The rows that the migrations left, as text, of a table that no API role can write. Absent for others, and for many rows. */
  readonly rows?: readonly Readonly<Record<string, string | null>>[];
  readonly source?: SourcePosition;
}

export interface Column {
  readonly name: string;
  readonly notNull: boolean;
  /** Expression of its default; null for none. */
  readonly default: string | null;
  /** Whether PostgreSQL always computes it: generated, or identity. */
  readonly computed: boolean;
  /** API roles with INSERT, and with UPDATE. */
  readonly insert: readonly string[];
  readonly update: readonly string[];
}

/** A validated foreign key. */
export interface ForeignReference {
  readonly columns: readonly string[];
  readonly target: string;
  readonly targetColumns: readonly string[];
}

/** A policy, with expressions as PostgreSQL prints them under an empty search_path. */
export interface Clause {
  readonly policy: string;
  readonly table: string;
  readonly commands: readonly Command[];
  readonly permissive: boolean;
  /** API roles to which it applies. */
  readonly roles: readonly string[];
  readonly using: string | null;
  readonly check: string | null;
  /** Whether Supabase or an extension brings it: it counts, and is not judged. */
  readonly given?: boolean;
  readonly source?: SourcePosition;
}

/** A function outside of pg_catalog. */
export interface Routine {
  readonly name: string;
  readonly language: string;
  readonly body: string;
  /** Names of the input parameters; empty for a parameter without one. */
  readonly parameters: readonly string[];
  /** Names of the columns that it returns, where it names them. */
  readonly returns: readonly string[];
  readonly set: boolean;
  /** Whether it returns null for a null argument. */
  readonly strict: boolean;
  readonly definer: boolean;
  /** Whether it has settings other than search_path, which may change the claims. */
  readonly configured: boolean;
  /** Its own search_path; null for that of the caller. */
  readonly searchPath: string | null;
  /** Whether the migrations made or replaced it. */
  readonly own: boolean;
}

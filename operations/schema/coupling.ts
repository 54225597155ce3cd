import type { Slot } from "../../contract/slots.ts";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { breaches, createdIn, type Breach } from "../../contract/sql/migration.ts";
import { SqlSyntaxError } from "../../contract/sql/statements.ts";
import { PROJECT_ROOT } from "../images/paths.ts";
import { applyMigrations, migrationStatus, type MigrationState } from "../migrations/apply.ts";
import { migrationFiles, type MigrationFile } from "../../contract/sql/files.ts";
import type { LockWait } from "../migrations/locks.ts";
import type { Unlabelled } from "./decide.ts";
import { rangeOfLabels, type SchemaRange } from "./range.ts";
import { expandable, type SchemaMigration, type SchemaState } from "./state.ts";

/** What a rollout needs to know and do about the database's schema. */
export interface RolloutSchema {
  readonly unlabelled: Unlabelled;
  /** Root of the project that holds the migrations. */
  readonly root: string;
  /** The applied and the pending migrations. @throws UserError if the database cannot be read within the seconds */
  state(seconds?: number): Promise<SchemaState>;
  /** What a release in a slot declares; undefined if it declares nothing. */
  range(slot: Slot, image: string, signal: AbortSignal): Promise<SchemaRange | undefined>;
  /** Applies the pending expand migrations up to the first contract migration, and returns them. */
  expand(signal: AbortSignal): Promise<readonly SchemaMigration[]>;
}

export interface DatabaseSchemaOptions {
  /** Connection string of the database's owner. */
  readonly url: () => string | Promise<string>;
  /** Root of the project that holds supabase/migrations. @default the checkout */
  readonly root?: string;
  readonly unlabelled: Unlabelled;
  /** How migrations wait for locks. @default LOCK_WAIT */
  readonly locks?: LockWait;
  /** Ranges that take precedence over the images' labels. */
  readonly ranges?: Readonly<Partial<Record<Slot, SchemaRange>>>;
  /** Labels of an image, which is pulled first if necessary; undefined if they are not available. */
  readonly labels: (image: string, signal: AbortSignal) => Promise<Readonly<Record<string, string>> | undefined>;
}

/** The schema of a database with a connection string, and releases that are images. */
export function databaseSchema(options: DatabaseSchemaOptions): RolloutSchema {
  const root = options.root ?? PROJECT_ROOT;
  const state = async (seconds?: number) => schemaState(await options.url(), root, seconds);
  return {
    unlabelled: options.unlabelled,
    root,
    state,
    range: async (slot, image, signal) =>
      options.ranges?.[slot] ?? rangeOfLabels(image, (await options.labels(image, signal)) ?? {}),
    expand: async (signal) => {
      const url = await options.url();
      const events = applyExpand(url, { root, signal, locks: options.locks });
      for (;;) {
        const { done, value } = await events.next();
        if (done === true) return value; // the rollout reports its own progress
      }
    },
  };
}

/** The migrations that a database has, and those of the files that it lacks. @throws UserError if it cannot be read */
export async function schemaState(url: string, root = PROJECT_ROOT, connectSeconds?: number): Promise<SchemaState> {
  return stateOf(await migrationStatus(url, { root, ...(connectSeconds === undefined ? {} : { connectSeconds }) }));
}

/** The migrations of a database, for what releases depend on. */
export function stateOf(status: readonly MigrationState[]): SchemaState {
  const where = (wanted: (migration: MigrationState) => boolean) =>
    status.filter(wanted).map(({ version, name, kind }) => ({ version, name, kind }));
  return {
    applied: where(({ applied }) => applied),
    pending: where(({ applied }) => !applied),
    edited: where(({ edited }) => edited),
    ahead: status.some(({ file }) => !file),
  };
}

/**
 * Applies the pending expand migrations up to the first contract migration, and returns them.
 *
 * @throws UserError if one of them removes something that a running release may need, before any is applied
 */
export async function* applyExpand(
  url: string,
  options: { readonly root?: string; readonly signal?: AbortSignal; readonly locks?: LockWait | undefined } = {},
): Operation<readonly SchemaMigration[]> {
  const root = options.root ?? PROJECT_ROOT;
  const state = await schemaState(url, root);
  const next = expandable(state);
  await checkExpands(state, root);
  const last = next.at(-1);
  if (last === undefined) return [];
  yield* applyMigrations(url, { ...options, root, upTo: last.version });
  return next;
}

/**
 * Refuses pending expand migrations that remove something. On an empty database nothing has run, so the first files are
 * not checked.
 *
 * @throws UserError with file, line and statement
 */
export async function checkExpands(state: SchemaState, root = PROJECT_ROOT): Promise<void> {
  if (state.applied.length === 0) return;
  const pending = new Set(state.pending.filter(({ kind }) => kind === "expand").map(({ version }) => version));
  const created = new Set<string>();
  for (const file of migrationFiles(root)) {
    if (!pending.has(file.version)) continue;
    const [breach] = await breachesOf(file, created);
    if (breach === undefined) {
      for (const name of await createdIn(file.sql)) created.add(name);
      continue;
    }
    throw new UserError(
      "state-conflict",
      `supabase/migrations/${file.file}:${breach.line}`,
      `${breach.what}, which a running release may need; an expand migration only adds`,
      "move the statement to a later file with contract in its name: npx supabase migration new contract_<name>",
    );
  }
}

async function breachesOf(file: MigrationFile, earlier: ReadonlySet<string>): Promise<readonly Breach[]> {
  try {
    return await breaches(file.sql, earlier);
  } catch (error) {
    if (!(error instanceof SqlSyntaxError)) throw error;
    const where = `supabase/migrations/${file.file}:${error.line}`;
    throw new UserError("invalid-file", where, error.message, "correct the statement", { cause: error });
  }
}

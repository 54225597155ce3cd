import type { Slot } from "../../contract/slots.ts";
import { UserError } from "../../contract/errors.ts";
import type { ExaiEvent } from "../../contract/events.ts";
import { breaches } from "../../contract/sql/migration.ts";
import { PROJECT_ROOT } from "../images/paths.ts";
import { applyMigrations, migrationStatus } from "../migrations/apply.ts";
import { migrationFiles, migrationSql } from "../migrations/files.ts";
import type { Unlabelled } from "./decide.ts";
import { rangeOfLabels, type SchemaRange } from "./range.ts";
import { expandable, level, migrationLabel, type SchemaMigration, type SchemaState } from "./state.ts";

/** The database's schema as far as a rollout has to do with it. */
export interface RolloutSchema {
  readonly unlabelled: Unlabelled;
  /** Root of the project whose migrations are meant. */
  readonly root: string;
  /** What is in place and what is pending. @throws UserError where the database cannot be read within the seconds */
  state(seconds?: number): Promise<SchemaState>;
  /** What a release in a slot declares; undefined where it declares nothing. */
  range(slot: Slot, image: string, signal: AbortSignal): Promise<SchemaRange | undefined>;
  /** Applies the pending expand migrations up to the first contract one, and says what it did. */
  expand(signal: AbortSignal): Promise<string>;
}

export interface DatabaseSchemaOptions {
  /** Connection string of the database's owner. */
  readonly url: () => string | Promise<string>;
  /** Root of the project whose supabase/migrations are meant. @default the checkout */
  readonly root?: string;
  readonly unlabelled: Unlabelled;
  /** Ranges that win over what the images say. */
  readonly ranges?: Readonly<Partial<Record<Slot, SchemaRange>>>;
  /** Labels of an image, brought here first where that is needed; undefined where they cannot be had. */
  readonly labels: (image: string, signal: AbortSignal) => Promise<Readonly<Record<string, string>> | undefined>;
}

/** The schema of a database that can be reached by a connection string, and releases that are images. */
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
      const events = applyExpand(url, { root, signal });
      for (;;) {
        const { done, value } = await events.next();
        if (done !== true) continue; // its progress is the rollout's own
        return value.length === 0
          ? `nothing to expand, the schema is ${level(await schemaState(url, root))}`
          : `${value.map(migrationLabel).join(", ")} applied`;
      }
    },
  };
}

/** Reads what a database has and what the files have beyond it. @throws UserError where it cannot be read */
export async function schemaState(url: string, root = PROJECT_ROOT, connectSeconds?: number): Promise<SchemaState> {
  const status = await migrationStatus(url, { root, ...(connectSeconds === undefined ? {} : { connectSeconds }) });
  const migrations = status.map(({ version, name, kind, applied }) => ({
    applied,
    migration: { version, name, kind },
  }));
  const those = (applied: boolean) =>
    migrations.filter((each) => each.applied === applied).map((each) => each.migration);
  return { applied: those(true), pending: those(false) };
}

/**
 * Applies the pending expand migrations up to the first contract one, and returns them.
 *
 * @throws UserError where one of them would take something from a release that runs, before any is applied
 */
export async function* applyExpand(
  url: string,
  options: { readonly root?: string; readonly signal?: AbortSignal } = {},
): AsyncGenerator<ExaiEvent, readonly SchemaMigration[], void> {
  const root = options.root ?? PROJECT_ROOT;
  const state = await schemaState(url, root);
  const next = expandable(state);
  checkExpands(state, root);
  const last = next.at(-1);
  if (last === undefined) return [];
  yield* applyMigrations(url, { ...options, root, upTo: last.version });
  return next;
}

/**
 * Refuses pending migrations that call themselves expand and are not. On an empty database nothing has run, so the first
 * files may do as they like.
 *
 * @throws UserError naming file, line and statement
 */
export function checkExpands(state: SchemaState, root = PROJECT_ROOT): void {
  if (state.applied.length === 0) return;
  const pending = new Set(state.pending.filter(({ kind }) => kind === "expand").map(({ version }) => version));
  for (const file of migrationFiles(root)) {
    if (!pending.has(file.version)) continue;
    const [breach] = breaches(migrationSql(root, file));
    if (breach === undefined) continue;
    throw new UserError(
      "state-conflict",
      `supabase/migrations/${file.file}:${breach.line}`,
      `${breach.what}, which a release that runs may need; an expand migration only adds`,
      "move the statement to a later file with the word contract in its name: npx supabase migration new contract_<name>",
    );
  }
}

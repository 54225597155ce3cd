import type { Operation, StepEvent } from "../../contract/events.ts";
import { PROJECT_ROOT } from "../images/paths.ts";
import { withClient } from "../migrations/client.ts";
import { databaseUrl, type DatabaseUrl } from "../migrations/url.ts";
import { compareFacts, type SchemaDifference } from "../schema-facts/compare.ts";
import { readCatalogue } from "./catalogue.ts";
import {
  compareLedger,
  replay,
  type Disagreement,
  type LedgerEntry,
  type Replayed,
  type ReplayFailure,
} from "./ledger.ts";
import { compareReadings, identical, readSchema, type OracleVerdict } from "./oracles.ts";
import { matchPlatform, openScratch, type Scratch } from "./scratch.ts";

/** What does not agree. */
export type VerifyFinding =
  | { readonly reason: Disagreement; readonly version: string; readonly name: string }
  /** The ledger cannot be replayed: a new branch of the database would fail. */
  | ({ readonly reason: "replay-failed" } & ReplayFailure)
  /** It was marked as applied, and nothing that it creates is in the database. `objects`: what it creates. */
  | {
      readonly reason: "never-ran";
      readonly version: string;
      readonly name: string;
      readonly objects: readonly string[];
    }
  /** The database is not what a replay of the ledger gives. */
  | { readonly reason: "drift"; readonly objects: number };

export interface VerifyResult {
  readonly findings: readonly VerifyFinding[];
  /** How many versions the ledger has. */
  readonly applied: number;
  /** How many files are newer than the ledger: they do not count as findings. */
  readonly pending: number;
  /** How the database differs from a replay of the ledger; `added` is only in the database. Absent if the replay failed. */
  readonly drift?: readonly SchemaDifference[];
  /** The same by each oracle. */
  readonly oracles?: readonly OracleVerdict[];
}

export interface ReconcileOptions {
  /** Root of the project that holds supabase/migrations. @default the checkout */
  readonly root?: string;
  readonly signal?: AbortSignal | undefined;
  /** Where statements of the ledger are tried. @default {@link openScratch} */
  readonly scratch?: (signal: AbortSignal | undefined) => Promise<Scratch>;
}

/**
 * Whether ledger, files and database agree. The ledger is replayed, not the files: what a migration is said to have done is
 * compared with what there is. Changes nothing.
 *
 * @throws UserError if the database cannot be read, or no scratch server can be started
 */
export async function* verifyMigrations(url: string, options: ReconcileOptions = {}): Operation<VerifyResult> {
  const { root = PROJECT_ROOT, signal } = options;
  const database = databaseUrl(url);
  const step = { type: "step", id: "verify" } as const;
  const entries = await compareLedger(database, root);
  const findings: VerifyFinding[] = entries.flatMap(({ version, name, disagreement }) =>
    disagreement === undefined ? [] : [{ reason: disagreement, version, name }],
  );
  const recorded = entries.filter(({ record }) => record !== undefined);
  const applied = recorded.length;
  const pending = entries.filter(
    ({ record, disagreement }) => record === undefined && disagreement === undefined,
  ).length;
  const title = "ledger";
  yield { ...step, title, status: "started", detail: `${applied} to replay` } satisfies StepEvent;
  const scratch = await (options.scratch ?? scratchOf)(signal);
  try {
    const created = await replayOn(scratch.url, database, recorded.map(fromLedger));
    if (created.failure !== undefined) {
      yield { ...step, title, status: "failed", detail: created.failure.version };
      return { findings: [...findings, { reason: "replay-failed", ...created.failure }], applied, pending };
    }
    const [replayed, live] = await Promise.all([readSchema(scratch.url, signal), readSchema(url, signal)]);
    const [drift, oracles] = await Promise.all([
      compareFacts(replayed.facts, live.facts),
      compareReadings(replayed, live),
    ]);
    for (const { version, name, objects } of created.byVersion) {
      const kept = objects.filter((object) => replayed.catalogue.has(object));
      if (kept.length > 0 && kept.every((object) => !live.catalogue.has(object)))
        findings.push({ reason: "never-ran", version, name, objects: kept });
    }
    if (!identical(oracles)) {
      const objects = new Set(oracles.flatMap(({ differences }) => differences.map(({ object }) => object)));
      findings.push({ reason: "drift", objects: drift.length > 0 ? drift.length : objects.size });
    }
    yield { ...step, title, status: findings.length === 0 ? "done" : "failed", detail: `${applied} replayed` };
    return { findings, applied, pending, drift, oracles };
  } finally {
    await scratch.end();
  }
}

/** A scratch server with the default image. */
export const scratchOf = (signal: AbortSignal | undefined): Promise<Scratch> => openScratch({ signal });

/** What a version did according to the ledger. */
export function fromLedger({ version, name, record }: LedgerEntry): Replayed {
  return { version, name, statements: record?.statements ?? [] };
}

/** A replay, and what each version created. */
interface ReplayedLedger {
  readonly failure?: ReplayFailure;
  readonly byVersion: readonly (Pick<Replayed, "version" | "name"> & { readonly objects: readonly string[] })[];
}

/** Replays migrations on a scratch server that stands for the server of a database. */
export async function replayOn(
  scratchUrl: string,
  target: DatabaseUrl,
  migrations: readonly Replayed[],
): Promise<ReplayedLedger> {
  return withClient(databaseUrl(scratchUrl), async (client) => {
    await withClient(target, (live) => matchPlatform(client, live));
    const byVersion: ReplayedLedger["byVersion"][number][] = [];
    let before = await readCatalogue(client);
    const failure = await replay(client, migrations, async ({ version, name }) => {
      const now = await readCatalogue(client);
      byVersion.push({ version, name, objects: [...now.keys()].filter((object) => !before.has(object)) });
      before = now;
    });
    return { byVersion, ...(failure === undefined ? {} : { failure }) };
  });
}

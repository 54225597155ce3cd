import { registryLabels } from "../../operations/images/labels.ts";
import { lockWaitOf } from "../../operations/migrations/locks.ts";
import { databaseSchema, type RolloutSchema } from "../../operations/schema/coupling.ts";
import type { DeclaredStack } from "../declared.ts";
import { declaredDatabase, verifiedDatabase } from "./database-url.ts";
import { declaredRanges } from "../declared-ranges.ts";

/** The schema that a cluster's releases are coupled to; undefined if no database is declared. */
export function clusterSchema(declared: DeclaredStack): RolloutSchema | undefined {
  const { settings } = declared;
  if (!declaredDatabase(declared)) return undefined;
  // At the first use: an encrypted setting takes the engine, and a rollback may not need the database.
  let url: Promise<string> | undefined;
  return databaseSchema({
    url: () => (url ??= verifiedDatabase(declared)),
    unlabelled: settings.unlabelledReleases,
    locks: lockWaitOf(settings),
    ranges: declaredRanges(settings),
    labels: (image, signal) => registryLabels(image, { signal }),
  });
}

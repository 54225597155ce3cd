import { imageLabels } from "../../operations/docker/cli.ts";
import { rolloutDirectory } from "../../operations/rollout/context.ts";
import { FileJournalStore } from "../../operations/rollout/journal.ts";
import { FileLeaseStore } from "../../operations/rollout/lease.ts";
import { standingOf } from "../../operations/rollout/standing.ts";
import type { ReleaseGuard } from "../../operations/schema/apply.ts";
import { databaseSchema, type RolloutSchema } from "../../operations/schema/coupling.ts";
import { join } from "node:path";
import { declaredRanges } from "../releases.ts";
import { localDatabaseUrl } from "./database.ts";
import type { LocalStack } from "./project.ts";
import { provideImage, slotContainer, slotStatus } from "./slotContainer.ts";

/** The schema of a local stack's database. Images are brought here to read their labels. */
export function localSchema(local: LocalStack): RolloutSchema {
  return databaseSchema({
    url: () => localDatabaseUrl(local),
    unlabelled: local.settings.unlabelledReleases,
    ranges: declaredRanges(local.settings),
    labels: async (image, signal) => {
      await provideImage(image, signal);
      return imageLabels(image);
    },
  });
}

/** The releases that stand on a local stack's database. */
export function localGuard(local: LocalStack, signal: AbortSignal): ReleaseGuard {
  const { settings, home, overrides } = local;
  const leases = new FileLeaseStore(join(rolloutDirectory(home), "leases"));
  return {
    unlabelled: settings.unlabelledReleases,
    standing: () =>
      standingOf({
        journal: new FileJournalStore(rolloutDirectory(home)),
        leases,
        schema: localSchema(local),
        deployer: { status: async (colour) => slotStatus(await slotContainer(settings.stack, overrides, colour)) },
        signal,
      }),
    exclude: async () => {
      const lease = await leases.acquire("migrate apply");
      return () => lease.release();
    },
  };
}

import { join } from "node:path";
import { activeReleases } from "../../../operations/rollout/commands/active-releases.ts";
import type { ReleaseGuard } from "../../../operations/schema/apply.ts";
import type { DockerStack } from "../project.ts";
import { localSchema } from "./schema.ts";
import { slotContainer, slotStatus } from "./slot-container.ts";
import { rolloutDirectory } from "../../../operations/rollout/local/context.ts";
import { FileJournalStore } from "../../../operations/rollout/local/file-journal.ts";
import { FileLeaseStore } from "../../../operations/rollout/local/file-lease.ts";

/** The releases that use a local stack's database. */
export function localGuard(local: DockerStack, signal: AbortSignal): ReleaseGuard {
  const { settings, home } = local;
  const leases = new FileLeaseStore(join(rolloutDirectory(home), "leases"));
  return {
    unlabelled: settings.unlabelledReleases,
    releases: () =>
      activeReleases({
        journal: new FileJournalStore(rolloutDirectory(home)),
        leases,
        schema: localSchema(local),
        deployer: { status: async (slot) => slotStatus(await slotContainer(settings.instance, slot)) },
        signal,
      }),
    exclude: async () => {
      const lease = await leases.acquire("migrate apply");
      return () => lease.release();
    },
  };
}

import { registryLabels } from "../../operations/images/labels.ts";
import { activeReleases } from "../../operations/rollout/commands/active-releases.ts";
import type { ReleaseGuard } from "../../operations/schema/apply.ts";
import { databaseSchema, type RolloutSchema } from "../../operations/schema/coupling.ts";
import type { Settings } from "../../stacks/settings.ts";
import { declaredDatabase, verifiedDatabase } from "../database-url.ts";
import type { Overrides } from "../compose/project.ts";
import { declaredRanges } from "../declared-ranges.ts";

/** The schema that a cluster's releases are coupled to; undefined where nobody has said where its database is. */
export function clusterSchema(settings: Settings, overrides: Overrides): RolloutSchema | undefined {
  if (!declaredDatabase(settings.stack, overrides)) return undefined;
  // Asked for when it is needed: an encrypted setting takes the engine, and a rollback may not want to wait for it.
  let url: Promise<string> | undefined;
  return databaseSchema({
    url: () => (url ??= verifiedDatabase(settings.stack, overrides)),
    unlabelled: settings.unlabelledReleases,
    ranges: declaredRanges(settings),
    labels: (image, signal) => registryLabels(image, { signal }),
  });
}

/** The releases that stand on a cluster's database. */
export function clusterGuard(settings: Settings, overrides: Overrides, signal: AbortSignal): ReleaseGuard {
  const open = async () => {
    const { openClusterRollout } = await import("./rollout.ts");
    return openClusterRollout(settings.stack, overrides, signal);
  };
  return {
    unlabelled: settings.unlabelledReleases,
    releases: async () => {
      const opened = await open();
      try {
        return await activeReleases(opened.context);
      } finally {
        await opened.close();
      }
    },
    exclude: async () => {
      const opened = await open();
      try {
        const lease = await opened.context.leases.acquire("migrate apply");
        return async () => {
          await lease.release();
          await opened.close();
        };
      } catch (error) {
        await opened.close();
        throw error;
      }
    },
  };
}

import { activeReleases } from "../../operations/rollout/commands/active-releases.ts";
import type { ReleaseGuard } from "../../operations/schema/apply.ts";
import type { DeclaredStack } from "../declared.ts";
import { openKubernetesRollout } from "./rollout.ts";

/** The releases that use a cluster's database. */
export function clusterGuard(declared: DeclaredStack, signal: AbortSignal): ReleaseGuard {
  const open = () => openKubernetesRollout(declared, signal);
  return {
    unlabelled: declared.settings.unlabelledReleases,
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

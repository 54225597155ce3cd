import { join } from "node:path";
import { docker, tryDocker } from "../../operations/docker/cli.ts";
import { volumesOf } from "../../operations/restore/scratch.ts";
import type { RestoreSite } from "../../operations/restore/site.ts";
import { UnfinishedRestore } from "../../operations/restore/unfinished.ts";
import { healthy, type PostgresStack } from "./postgres-stack.ts";

/** The database of a test's stack, to be restored in place. Its own tests cover the locks of a whole stack. */
export function restoreSite(stack: PostgresStack): RestoreSite {
  const { name: instance, image, passphrase, url, password, monitorPassword, serverUrl, postgres, runner } = stack;
  const start = async (container: string) => {
    await docker(["start", container]);
    await healthy(container);
  };
  return {
    ...{ stack: "local", instance, image, passphrase, url },
    unfinished: new UnfinishedRestore(join(stack.home, "restore.json")),
    logins: { postgres: password, exai_monitor: monitorPassword, exai_server: new URL(serverUrl).password },
    exclusively: (_verb, work) => work(),
    provideVolume: async () => {
      await docker(["volume", "create", "--label", instance, volumesOf(instance).data]);
    },
    stop: async () => {
      for (const container of [runner, postgres]) await tryDocker(["stop", "--time", "30", container]);
    },
    startDatabase: () => start(postgres),
    startRunner: () => start(runner),
    forgetBranchBase: () => Promise.resolve(),
  };
}

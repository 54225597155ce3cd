import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { generatedName } from "../../contract/engine/names.ts";
import { command, fix } from "../../contract/fix.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { BRANCHES, LABELS } from "../../contract/labels.ts";
import { docker, tryDocker } from "../../operations/docker/cli.ts";
import { rolloutDirectory } from "../../operations/rollout/local/context.ts";
import { FileLeaseStore } from "../../operations/rollout/local/file-lease.ts";
import { volumesOf } from "../../operations/restore/scratch.ts";
import type { RestoreSite } from "../../operations/restore/site.ts";
import { apply } from "./apply.ts";
import { branchesVolume } from "./branches/container.ts";
import { containersOf, settled } from "./containers.ts";
import { restorePlaceOf } from "./database.ts";
import { madeByEngine } from "./maker.ts";
import { dockerProject, placeOf, type DockerStack } from "./project.ts";
import { unfinishedRestore, withStackLock } from "./stack-lock.ts";

/** Services that use the files of the database, in the order in which they start. */
const SERVICES = ["postgres", "backup-runner"] as const;

/** Seconds in which the database must become healthy: it may have to replay its WAL. */
const HEALTHY_SECONDS = 300;

/** The database of a local stack, to be restored in place. */
export function restoreSiteOf(stack: DockerStack, signal: AbortSignal): RestoreSite {
  const { settings, state } = stack;
  const { instance } = settings;
  const place = placeOf(stack);
  const leases = new FileLeaseStore(join(rolloutDirectory(stack.home), "leases"));
  const roles = { postgres: "postgres", exai_monitor: "postgres-monitor", exai_server: "postgres-server" };
  return {
    ...restorePlaceOf(stack),
    unfinished: unfinishedRestore(stack.home),
    logins: Object.fromEntries(
      Object.entries(roles).flatMap(([role, secret]) => {
        const password = state.known(generatedName(secret));
        return password === undefined ? [] : [[role, password]];
      }),
    ),
    exclusively: (verb, work) =>
      withStackLock(place, verb, async function* () {
        const lease = await leases.acquire(verb);
        try {
          return yield* work();
        } finally {
          await lease.release();
        }
      }),
    provideVolume: async () => {
      const labels = {
        [LABELS.instance]: instance,
        [LABELS.stack]: stack.declared.name,
        [LABELS.component]: SERVICES[0],
      };
      const options = Object.entries(labels).flatMap(([label, value]) => ["--label", `${label}=${value}`]);
      // One that exists is unchanged.
      await docker(["volume", "create", ...options, volumesOf(instance).data]);
    },
    stop: async () => {
      const running = await containersOf(instance);
      for (const service of SERVICES.toReversed()) {
        const container = running.get(service);
        if (container !== undefined) await docker(["stop", container.id]);
      }
    },
    startDatabase: () => start(stack, "postgres", signal),
    startRunner: () => start(stack, "backup-runner", signal),
    forgetBranchBase: async () => {
      const volume = branchesVolume(instance);
      // A spare that runs follows the database, and is stopped first.
      const present = (await containersOf(instance, BRANCHES)).get(BRANCHES);
      if (present?.state === "running") {
        await docker(["exec", present.id, "exai-branches", "forget"]);
        return;
      }
      if ((await tryDocker(["volume", "inspect", volume])).code !== 0) return;
      await docker([
        ...["run", "--rm", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"],
        ...["--volume", `${volume}:/var/lib/exai-branches`, "--entrypoint", "exai-branches"],
        ...[LOCAL_IMAGES.postgres, "forget"],
      ]);
    },
  };
}

/** Starts a service and waits until it is healthy. Compose makes a container that was removed. */
async function start(stack: DockerStack, service: (typeof SERVICES)[number], signal: AbortSignal): Promise<void> {
  const { instance } = stack.settings;
  const found = (await containersOf(instance, service)).get(service);
  if (found === undefined) {
    if (await madeByEngine(instance))
      throw new UserError(
        "state-conflict",
        service,
        "the engine has to make its container",
        fix`${command("up --engine")}`,
      );
    const events = apply(await dockerProject(stack), {
      ...{ services: new Map([[service, "restored"]]), dependencies: false, timeoutSeconds: HEALTHY_SECONDS, signal },
    });
    while ((await events.next()).done !== true); // a step of the restore
    return;
  }
  await docker(["start", found.id]);
  const deadline = performance.now() + HEALTHY_SECONDS * 1000;
  for (;;) {
    const present = (await containersOf(instance, service)).get(service);
    const container = present && (await settled(present));
    if (container?.state === "running" && container.health === "healthy") return;
    if (container?.state === "exited" || performance.now() > deadline)
      throw new UserError(
        "failed",
        service,
        `is ${container?.state ?? "gone"} and not healthy`,
        fix`${command(`logs ${service}`)}`,
      );
    await sleep(200);
  }
}

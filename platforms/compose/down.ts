import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import type { Operation, ProgressEvent } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { LABELS } from "../../contract/labels.ts";
import { docker, tryDocker } from "../../operations/docker/cli.ts";
import { dropAllScratch } from "../../operations/restore/scratch.ts";
import type { DownOptions } from "../platform.ts";
import type { ComposeDown } from "../results.ts";
import { branchesVolume } from "./branches/container.ts";
import { containerIds, containersOf, otherCheckout, type RunningContainer } from "./containers.ts";
import { homeEntries, removeHome } from "./home.ts";
import { KNOWN_SECRETS, dockerProject, type DockerStack } from "./project.ts";

/** Stops and removes a local stack's containers and network. Its data stays, unless `volumes` is set. */
export async function* composeDown(stack: DockerStack, { volumes, confirm }: DownOptions): Operation<ComposeDown> {
  const { settings, home, compose, composePath } = await dockerProject(stack, KNOWN_SECRETS);
  const { instance } = settings;
  const running = await containersOf(instance);
  const owned = volumes ? await ownedVolumes([...compose.volumes, branchesVolume(instance)], instance) : [];
  if (volumes) {
    refuseOtherHome(running, home);
    await confirm?.({ name: instance, data: true, volumes: owned, home, files: homeEntries(home, instance).own });
  }

  // Restored servers use the volume of the backups.
  await dropAllScratch(instance);
  const containers = [...running.values()];
  // The router stops first, so that it sends no user to a server that is stopping.
  containers.sort((a, b) => Number(b.component === "router") - Number(a.component === "router"));
  for (const { component } of containers)
    yield { type: "step", id: component, title: `stop ${component}`, status: "started" };
  const [router, ...others] = containers;
  if (router !== undefined) await docker(["stop", router.id]);
  if (others.length > 0) await docker(["stop", ...others.map((container) => container.id)]);
  const all = await containerIds(instance);
  if (all.length > 0) await docker(["rm", "--force", "--volumes", ...all]);
  for (const { component } of containers)
    yield { type: "step", id: component, title: `stop ${component}`, status: "done" };

  const networks = await marked("network", instance, ["--quiet"]);
  for (const network of networks) await tryDocker(["network", "rm", network]);
  // While it is there, the engine refuses the stack.
  rmSync(composePath, { force: true });
  if (volumes) {
    await removeVolumes(owned);
    yield* removeFiles(home, instance, owned);
  }
  return {
    platform: "compose",
    stack: stack.declared.name,
    containers: containers.map((container) => container.name),
    volumes: owned,
    data: volumes ? "removed" : existsSync(join(home, "secrets.json")) ? "kept" : "none",
  };
}

/** Removes the stack's files from its folder, and says what it found there that is not the stack's. */
export function* removeFiles(
  home: string,
  instance: string,
  volumes: readonly string[],
): Generator<ProgressEvent, void, void> {
  const kept = removeHome(home, instance);
  yield { type: "step", id: "volumes", title: "remove data", status: "done", detail: [...volumes, home].join(", ") };
  if (kept.length === 0) return;
  const message = `${home} stays: exai did not make ${kept.slice(0, 5).join(", ")}${kept.length > 5 ? `, and ${kept.length - 5} more` : ""}`;
  yield { type: "note", level: "warning", message };
}

/** Volumes or networks that have the instance's label. */
async function marked(kind: "volume" | "network", instance: string, format: readonly string[]): Promise<string[]> {
  const found = await docker([kind, "ls", ...format, "--filter", `label=${LABELS.instance}=${instance}`]);
  return found.split(/\s+/).filter(Boolean);
}

/** The volumes of the stack that exist and have its label; one of the same name that something else made is not the stack's. */
export async function ownedVolumes(names: readonly string[], instance: string): Promise<readonly string[]> {
  const own = await marked("volume", instance, ["--quiet"]);
  return names.filter((name) => own.includes(name));
}

/** @throws UserError if a volume stays: then its passwords must stay too */
async function removeVolumes(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const ran = await tryDocker(["volume", "rm", name]);
    if (ran.code !== 0 && !/no such volume/i.test(ran.stderr))
      throw new UserError(
        "failed",
        `volume ${name}`,
        `cannot be removed: ${ran.stderr.trim()}; the stack's files stay, since they hold its passwords`,
        fix`docker ps --all --filter volume=${name} shows what uses it; then ${command("down --volumes")}`,
      );
  }
}

/** Another home with the same instance name has other passwords for the same volumes. @throws UserError */
function refuseOtherHome(containers: ReadonlyMap<string, RunningContainer>, home: string): void {
  const other = otherCheckout(containers, home);
  if (other === undefined) return;
  throw new UserError(
    "state-conflict",
    other.container,
    `was made from ${other.home}, not from ${home}: its data is not that of this folder`,
    fix`${command(`down --volumes --set homeDirectory=${other.home}`)}`,
  );
}

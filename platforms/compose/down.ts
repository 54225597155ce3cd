import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Operation } from "../../contract/events.ts";
import { docker, tryDocker } from "../../operations/docker/cli.ts";
import type { DownOptions } from "../platform.ts";
import type { ComposeDown } from "../results.ts";
import { containerIds, containersOf } from "./containers.ts";
import { dockerProject, type DockerStack } from "./project.ts";

/** Stops and removes a local stack's containers and network. Its data stays, unless `volumes` is set. */
export async function* composeDown(stack: DockerStack, { volumes, confirm }: DownOptions): Operation<ComposeDown> {
  const { settings, home, compose } = await dockerProject(stack);
  const { instance } = settings;
  if (volumes) await confirm?.({ name: instance, volumes: compose.volumes, data: true });

  const containers = [...(await containersOf(instance)).values()];
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

  const networks = (await docker(["network", "ls", "-q", "--filter", `name=^${instance}$`]))
    .split(/\s+/)
    .filter(Boolean);
  for (const network of networks) await tryDocker(["network", "rm", network]);
  const removed = volumes ? await removeVolumes(compose.volumes) : [];
  if (volumes) {
    rmSync(home, { recursive: true, force: true });
    const detail = [...removed, home].join(", ");
    yield { type: "step", id: "volumes", title: "remove data", status: "done", detail };
  }
  return {
    platform: "compose",
    stack: stack.declared.name,
    containers: containers.map((container) => container.name),
    volumes: removed,
    data: volumes ? "removed" : existsSync(join(home, "secrets.json")) ? "kept" : "none",
  };
}

async function removeVolumes(names: readonly string[]): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of names) if ((await tryDocker(["volume", "rm", name])).code === 0) removed.push(name);
  return removed;
}

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { docker, tryDocker } from "../../operations/docker/cli.ts";
import { confirmByName } from "../confirm.ts";
import { containerIds, containersOf } from "../../platforms/compose/containers.ts";
import { localProject, localStack, type Overrides } from "../../platforms/compose/project.ts";

export interface DownOptions {
  /** Also removes the volumes and the stack's own state. */
  readonly volumes: boolean;
  /** Does not ask before data goes. */
  readonly yes: boolean;
}

/** Stops and removes the local stack's containers and network. Data stays, unless asked otherwise and confirmed. */
export async function* downLocal(stack: string, overrides: Overrides, options: DownOptions): Verb {
  const project = await localProject(localStack(stack, overrides));
  const { instance } = project.settings;
  if (options.volumes && !options.yes)
    await confirmByName(
      instance,
      `This removes ${project.compose.volumes.join(", ")} for good.`,
      "./exai down --volumes --yes",
    );

  const containers = [...(await containersOf(instance)).values()];
  // The users' entrance goes first, so that nobody is sent to a server that is going.
  containers.sort((a, b) => Number(b.component === "router") - Number(a.component === "router"));
  for (const container of containers) {
    yield { type: "step", id: container.component, title: `stop ${container.component}`, status: "started" };
  }
  const [router, ...others] = containers;
  if (router !== undefined) await docker(["stop", router.id]);
  if (others.length > 0) await docker(["stop", ...others.map((container) => container.id)]);
  const all = await containerIds(instance);
  if (all.length > 0) await docker(["rm", "--force", "--volumes", ...all]);
  for (const container of containers)
    yield { type: "step", id: container.component, title: `stop ${container.component}`, status: "done" };

  const networks = (await docker(["network", "ls", "-q", "--filter", `name=^${instance}$`]))
    .split(/\s+/)
    .filter(Boolean);
  for (const network of networks) await tryDocker(["network", "rm", network]);
  let removed: readonly string[] = [];
  if (options.volumes) {
    removed = await removeVolumes(project.compose.volumes);
    rmSync(project.home, { recursive: true, force: true });
    yield {
      type: "step",
      id: "volumes",
      title: "remove data",
      status: "done",
      detail: [...removed, project.home].join(", "),
    };
  }
  yield {
    type: "result",
    title:
      containers.length === 0 && removed.length === 0
        ? `${stack} was down already`
        : `${stack} is down${options.volumes ? ", and its data is gone" : `; its data stays${existsSync(join(project.home, "secrets.json")) ? " in its volumes" : ""}`}`,
    data: { stack, containers: containers.map((container) => container.name), volumes: removed },
    next: options.volumes ? ["./exai up"] : ["./exai up", "./exai down --volumes   # removes the data too"],
  };
  return EXIT.ok;
}

async function removeVolumes(names: readonly string[]): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of names) if ((await tryDocker(["volume", "rm", name])).code === 0) removed.push(name);
  return removed;
}

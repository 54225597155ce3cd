import { UserError } from "../../contract/errors.ts";
import { command, fix, type Fix } from "../../contract/fix.ts";
import type { Settings } from "../../stacks/settings.ts";
import { holderOf, isFree, nextFree, type Holder } from "../machine/listeners.ts";
import { containersOf } from "./containers.ts";

/** A port of a local stack that something else has. */
export interface TakenPort {
  /** Key of its setting, such as `httpPort`. */
  readonly key: string;
  readonly port: number;
  readonly holder: Holder;
  /** A port that is free. */
  readonly free: number;
}

/** The ports that a local stack publishes, by the key of their setting. */
export function publishedPorts(settings: Settings): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(settings).filter(
      (entry): entry is [string, number] =>
        entry[0].endsWith("Port") && typeof entry[1] === "number" && (entry[0] !== "grafanaPort" || settings.grafana),
    ),
  );
}

/** The ports of a local stack that something other than its own running containers has. */
export async function takenPorts(settings: Settings): Promise<readonly TakenPort[]> {
  // Docker is on another machine, and so are the ports.
  if (/^(?!unix:)\w+:/.test(process.env.DOCKER_HOST ?? "")) return [];
  const wanted = publishedPorts(settings);
  const busy: (readonly [string, number])[] = [];
  for (const [key, port] of wanted) if (!(await isFree(port))) busy.push([key, port]);
  if (busy.length === 0) return [];
  const own = await ownPorts(settings.instance);
  const avoid = [...wanted.values()];
  const taken: TakenPort[] = [];
  for (const [key, port] of busy) {
    if (own.has(port)) continue;
    const free = await nextFree(port, avoid);
    avoid.push(free);
    taken.push({ key, port, holder: await holderOf(port), free });
  }
  return taken;
}

/** Ports of the instance's running containers. One that could not start has none. */
async function ownPorts(instance: string): Promise<ReadonlySet<number>> {
  try {
    const running = [...(await containersOf(instance)).values()].filter(({ state }) => state === "running");
    return new Set(running.flatMap(({ ports }) => ports.map((each) => Number(/:(\d+)->/.exec(each)?.[1]))));
  } catch {
    return new Set(); // without Docker no container has a port
  }
}

/** Refuses to start a stack whose ports are taken, before anything is changed. */
export async function refuseTakenPorts(settings: Settings): Promise<void> {
  const taken = await takenPorts(settings);
  if (taken.length === 0) return;
  throw new UserError(
    "state-conflict",
    taken.length === 1 ? `port ${String(taken[0]?.port)}` : `ports ${taken.map(({ port }) => port).join(", ")}`,
    taken
      .map(({ key, port, holder }) => `exai:${key}: port ${String(port)} is in use by ${holderText(holder)}`)
      .join("; "),
    portsFix(settings.stack, taken),
  );
}

/** Who has a port, in words. */
export function holderText(holder: Holder): string {
  switch (holder.kind) {
    case "container":
      return `container ${holder.name}`;
    case "process":
      return `${holder.program} (process ${String(holder.pid)})`;
    case "unknown":
      return "a process of another user";
  }
}

/** The command that starts the stack on free ports, and the ones that free the ports. */
export function portsFix(stack: string, taken: readonly TakenPort[]): Fix {
  const up = [
    "up",
    ...(stack === "local" ? [] : [stack]),
    ...taken.map(({ key, free }) => `--set ${key}=${String(free)}`),
  ];
  const ends = new Set(
    taken.map(({ port, holder }) =>
      holder.kind === "container"
        ? `docker stop ${holder.name}`
        : holder.kind === "process"
          ? `kill ${String(holder.pid)}`
          : `sudo ss -ltnp sport = :${String(port)}`,
    ),
  );
  return fix`${command(up.join(" "))}; or free the ports: ${[...ends].join("; ")}`;
}

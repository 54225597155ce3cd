import { chownSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { claimHome } from "../../contract/machine/stack-home.ts";
import { BRANCHES } from "../../contract/labels.ts";
import { docker } from "../../operations/docker/cli.ts";
import { runProgram } from "../../operations/docker/process.ts";
import type { ComposeFile, ComposeService } from "../../synth/compose.ts";
import { containersOf, imageIds, settled, type RunningContainer } from "./containers.ts";
import { refuseTakenPorts } from "./ports.ts";
import type { DockerProject } from "./project.ts";
import { writeDurably } from "../../operations/rollout/host/durable-files.ts";

/** Why `up` changes a service. */
export type ChangeReason = "new" | "definition" | "image" | "stopped" | "unhealthy";

/** A service that `up` changes. */
export interface ServiceChange {
  readonly reason: ChangeReason;
  /** The reason in words. */
  readonly detail: string;
  /** What is replaced or started; absent if it is created. */
  readonly container?: RunningContainer;
}

/** What differs between the rendered project and the running containers. */
export interface Difference {
  /** Services to create, replace or start. */
  readonly changed: ReadonlyMap<string, ServiceChange>;
  /** Containers of the instance that are not in the project. */
  readonly orphans: readonly RunningContainer[];
}

/**
 * Compares a project with Docker: definition, files and image of each service, and whether it runs.
 *
 * @param rebuilt images that will be built again
 */
export async function difference(
  project: DockerProject,
  rebuilt: ReadonlySet<string> = new Set(),
): Promise<Difference> {
  const [running, images] = await Promise.all([
    containersOf(project.settings.instance),
    imageIds(project.compose.images),
  ]);
  const changed = new Map<string, ServiceChange>();
  for (const service of project.compose.services) {
    const imageId = rebuilt.has(service.image) ? "" : images.get(service.image);
    const change = changeOf(service, running.get(service.name), imageId);
    if (change !== undefined) changed.set(service.name, change);
  }
  const wanted = new Set([BRANCHES, ...project.compose.services.map((service) => service.name)]);
  return { changed, orphans: [...running.values()].filter((container) => !wanted.has(container.component)) };
}

function changeOf(
  service: ComposeService,
  container: RunningContainer | undefined,
  imageId: string | undefined,
): ServiceChange | undefined {
  if (container === undefined) return { reason: "new", detail: "new" };
  const change = (reason: ChangeReason, detail: string): ServiceChange => ({ reason, detail, container });
  if (container.hash !== service.hash) return change("definition", "its definition changed");
  if (imageId !== undefined && container.imageId !== imageId) return change("image", "its image changed");
  if (container.state !== "running") return change("stopped", `was ${container.state}`);
  if (container.health === "unhealthy") return change("unhealthy", "was unhealthy");
  return undefined;
}

export interface ApplyOptions {
  /** Services to start, each with the reason for the user. */
  readonly services: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  /** Seconds in which every service must become healthy. @default 180 */
  readonly timeoutSeconds?: number;
  /** Also starts what the services need, and removes containers that are not in the project. @default true */
  readonly dependencies?: boolean;
  /** @default true */
  readonly waitForHealth?: boolean;
}

/**
 * Starts services with Compose and waits until each is healthy.
 *
 * @throws UserError if Compose fails, or a service does not become healthy in time
 */
export async function* apply(project: DockerProject, options: ApplyOptions): Operation<void> {
  const started = Date.now();
  await writeProject(project);
  const names = [...options.services.keys()];
  for (const [name, reason] of options.services)
    yield { type: "step", id: `start:${name}`, title: `start ${name}`, status: "started", detail: reason };
  const command = await composeCommand();

  const composing: Composing = { ended: false };
  const finished = runProgram(
    command[0] ?? "",
    [
      ...command.slice(1),
      ...["--project-name", project.settings.instance, "--file", project.composePath],
      ...["up", "--detach", "--no-build"],
      ...(options.dependencies === false ? ["--no-deps"] : ["--remove-orphans"]),
      ...names,
    ],
    { signal: options.signal },
  ).then(async (ran) => {
    // An unhealthy service fails Compose's own wait too; the wait below names it and gives the reason.
    if (ran.code !== 0 && !/unhealthy|dependency failed/i.test(ran.stderr))
      composing.fault = await composeFault(project, ran.stderr);
    composing.ended = true;
  });
  try {
    if (options.waitForHealth === false) {
      await finished;
      options.signal.throwIfAborted();
      if (composing.fault !== undefined) throw composing.fault;
    } else yield* healthy(project, names, composing, started, options.timeoutSeconds ?? 180, options.signal);
  } finally {
    await finished.catch(() => undefined);
  }
}

/** How far Compose itself is. */
interface Composing {
  ended: boolean;
  fault?: UserError;
}

/** Waits until the services are healthy, and reports each. */
async function* healthy(
  project: DockerProject,
  services: readonly string[],
  composing: Composing,
  started: number,
  timeoutSeconds: number,
  signal: AbortSignal,
): Operation<void> {
  const waiting = new Set(services);
  const images = await imageIds(project.compose.images);
  const wanted = new Map(project.compose.services.map((service) => [service.name, service]));
  // Until Compose has replaced it, the old container exists and is healthy.
  const isNew = (name: string, container: RunningContainer | undefined): boolean => {
    const service = wanted.get(name);
    return container?.hash === service?.hash && container?.imageId === images.get(service?.image ?? "");
  };
  for (;;) {
    if (composing.fault !== undefined) throw composing.fault;
    // Read before the containers: a container that does not exist when Compose ends will not be made.
    const { ended } = composing;
    const running = await containersOf(project.settings.instance);
    const asked = await Promise.all(
      [...waiting].sort().map(async (name) => {
        const found = running.get(name);
        return [name, found !== undefined && isNew(name, found) ? await settled(found) : undefined] as const;
      }),
    );
    for (const [name, container] of asked) {
      const seconds = (Date.now() - started) / 1000;
      if (container?.health === "healthy") {
        waiting.delete(name);
        yield { type: "step", id: `start:${name}`, title: `start ${name}`, status: "done", detail: "healthy", seconds };
      } else if ((ended && (container === undefined || container.state === "exited")) || seconds > timeoutSeconds) {
        const log = container === undefined ? "" : await lastLog(container);
        const state =
          container === undefined
            ? "was not created"
            : container.state === "exited"
              ? `exited with ${container.exitCode}`
              : `is not healthy after ${timeoutSeconds} s`;
        throw new UserError(
          container?.state === "running" ? "timeout" : "failed",
          name,
          `${state}${log === "" ? "" : `; its log ends with:\n${log}`}`,
          fix`${command(`logs ${name}`)}`,
        );
      }
    }
    if (waiting.size === 0) return;
    const states = [...waiting].sort().map((name) => {
      const container = running.get(name);
      return `${name} ${container === undefined ? "waiting" : isNew(name, container) ? container.health : "being replaced"}`;
    });
    yield { type: "step", id: "health", title: "wait for health", status: "progress", detail: states.join(", ") };
    await new Promise((resolve) => setTimeout(resolve, 500));
    signal.throwIfAborted();
  }
}

async function lastLog(container: RunningContainer): Promise<string> {
  const ran = await runProgram("docker", ["logs", "--tail", "8", container.id]);
  return `${ran.stdout}${ran.stderr}`.trim().replaceAll(/^/gm, "    ");
}

/** Turns an error of Compose into one for the user. A port may have been taken since {@link refuseTakenPorts} looked. */
async function composeFault({ settings }: DockerProject, stderr: string): Promise<UserError> {
  try {
    if (/already allocated|already in use/i.test(stderr)) await refuseTakenPorts(settings);
  } catch (error) {
    if (error instanceof UserError) return error;
  }
  const last = stderr.trim().split("\n").slice(-6).join("\n    ");
  return new UserError("failed", "compose", `could not start the stack:\n    ${last}`, fix`${command("doctor")}`);
}

/** Writes the Compose file and the files that its services mount. */
export async function writeProject(project: DockerProject): Promise<void> {
  claimHome(project.home, project.settings.instance);
  const foreign: ComposeFile[] = [];
  for (const file of project.compose.files) {
    const path = join(project.home, file.path);
    if (unchanged(path, file)) continue;
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    writeDurably(path, file.content, file.secret ? 0o600 : 0o644);
    if (!file.secret) continue;
    try {
      chownSync(path, file.uid, file.gid);
    } catch {
      foreign.push(file);
    }
  }
  await changeOwner(project, foreign);
  writeDurably(
    project.composePath,
    `# Written by exai from the program's resource graph. Edits are overwritten.\n${stringify(project.compose.document)}`,
    0o600,
  );
}

/**
 * Whether a file needs no change. A file that belongs to a container's user cannot be read, and is written again. So is a
 * secret that an interrupted run wrote without changing its owner.
 */
function unchanged(path: string, { content, secret, uid }: ComposeFile): boolean {
  try {
    return readFileSync(path, "utf8") === content && (!secret || statSync(path).uid === uid);
  } catch {
    return false;
  }
}

/** Changes the owner of secrets to the user of their container, by a container: this process has no right to. */
async function changeOwner(project: DockerProject, files: readonly ComposeFile[]): Promise<void> {
  const image = project.compose.services.find((service) => service.name === "postgres")?.image;
  if (files.length === 0 || image === undefined) return;
  const script = files.map((file) => `chown ${file.uid}:${file.gid} '/home-of-stack/${file.path}'`).join(" && ");
  await docker([
    ...["run", "--rm", "--user", "0:0", "--network", "none", "--volume", `${project.home}:/home-of-stack`],
    ...["--entrypoint", "sh", image, "-c", script],
  ]);
}

/** `docker compose` if the plug-in is installed, else `docker-compose`. @throws UserError if neither is */
export async function composeCommand(): Promise<readonly string[]> {
  for (const command of [["docker", "compose"], ["docker-compose"]]) {
    const [program = "", ...args] = command;
    try {
      if ((await runProgram(program, [...args, "version"], { timeoutMs: 20_000 })).code === 0) return command;
    } catch {
      continue; // not installed
    }
  }
  throw new UserError(
    "missing-tool",
    "compose",
    "neither `docker compose` nor `docker-compose` is installed",
    fix`${command("doctor --install")}`,
  );
}

import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { EXIT } from "../../../contract/errors.ts";
import { HTTP_PORT, SERVER_PATHS } from "../../../contract/server.ts";
import type { Slot } from "../../../contract/slots.ts";
import { slotHost } from "../../../contract/envoy/names.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import { until } from "../../../tests/support/rollout/stack.ts";

/** A container of a bench. */
export interface LabContainer {
  readonly name: string;
  /** On the bench's network: no published port is in between. */
  readonly address: string;
}

/** How a container runs. */
export interface LabRun {
  readonly image: string;
  /** Names on the network. */
  readonly aliases?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Paths in the container to their content. Their directories hold nothing else. */
  readonly files?: Readonly<Record<string, string>>;
  readonly entrypoint?: string;
  readonly command?: readonly string[];
  /** Arguments of `docker run`. */
  readonly options?: readonly string[];
}

/**
 * Containers of one bench on a separate network, each with one CPU. A port that a
 * connection has used is free again after a second: the default, a minute, ends a series of storms.
 */
export class Lab {
  readonly #name: string;
  readonly #home: string;
  #count = 0;

  private constructor(name: string, home: string) {
    this.#name = name;
    this.#home = home;
  }

  static async open(): Promise<Lab> {
    const name = `bench-${randomBytes(3).toString("hex")}`;
    const home = await mkdtemp(join(tmpdir(), `${name}-`));
    await chmod(home, 0o755);
    await docker(["network", "create", "--label", name, name]);
    const lab = new Lab(name, home);
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => {
        void lab.close().finally(() => process.exit(EXIT.interrupted));
      });
    return lab;
  }

  /** Starts a container, and returns when `ready` is true. */
  async start(role: string, run: LabRun, ready: (at: LabContainer) => Promise<boolean>): Promise<LabContainer> {
    const name = `${this.#name}-${role}-${String((this.#count += 1))}`;
    const volumes: string[] = [];
    for (const [path, content] of Object.entries(run.files ?? {})) {
      const directory = join(this.#home, name, dirname(path));
      await mkdir(directory, { recursive: true });
      await writeFile(join(this.#home, name, path), content);
      const volume = `${directory}:${dirname(path)}:ro`;
      if (!volumes.includes(volume)) volumes.push(volume);
    }
    await docker([
      ...["run", "--detach", "--no-healthcheck", "--name", name, "--label", this.#name, "--network", this.#name],
      ...["--cpus", "1", "--sysctl", "net.ipv4.tcp_tw_reuse=1"],
      ...["--sysctl", "net.ipv4.ip_local_port_range=1024 65535"],
      ...(run.aliases ?? []).flatMap((alias) => ["--network-alias", alias]),
      ...Object.entries(run.environment ?? {}).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
      ...volumes.flatMap((volume) => ["--volume", volume]),
      ...(run.entrypoint === undefined ? [] : ["--entrypoint", run.entrypoint]),
      ...(run.options ?? []),
      run.image,
      ...(run.command ?? []),
    ]);
    const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    const address = (await docker(["container", "inspect", "--format", format, name])).trim();
    const container = { name, address };
    await until(role, 30, async () => {
      const running = await docker(["container", "inspect", "--format", "{{.State.Running}}", name]);
      if (running.trim() !== "true") throw new Error(`it ended: ${(await tryDocker(["logs", name])).stderr}`);
      return ready(container);
    });
    return container;
  }

  /** The server of a slot. */
  server(slot: Slot, image: string, faults = ""): Promise<LabContainer> {
    const environment = { EXAI_SLOT: slot, EXAI_FAULTS: faults, LOG_LEVEL: "error" };
    return this.start(slotHost(slot), { image, aliases: [slotHost(slot)], environment }, ({ address }) =>
      answers(address, HTTP_PORT),
    );
  }

  /** Runs a program to its end in a container with one CPU, and returns what it wrote. */
  async run(image: string, command: readonly string[]): Promise<string> {
    return docker(["run", "--rm", "--label", this.#name, "--network", this.#name, "--cpus", "1", image, ...command]);
  }

  /** The first process of a container, as this machine numbers it. */
  async pid(container: LabContainer): Promise<number> {
    return Number(await docker(["container", "inspect", "--format", "{{.State.Pid}}", container.name]));
  }

  async remove(container: LabContainer): Promise<void> {
    await docker(["rm", "--force", "--volumes", container.name]);
  }

  async close(): Promise<void> {
    const containers = await docker(["ps", "--all", "--quiet", "--filter", `label=${this.#name}`]);
    const ids = containers.split("\n").filter((id) => id !== "");
    if (ids.length > 0) await docker(["rm", "--force", "--volumes", ...ids]);
    await tryDocker(["network", "rm", this.#name]);
    await rm(this.#home, { recursive: true, force: true });
  }
}

/** Whether `/health` answers 200 there. */
export async function answers(address: string, port: number): Promise<boolean> {
  const url = `http://${address}:${String(port)}${SERVER_PATHS.health}`;
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  await response.arrayBuffer();
  return response.ok;
}

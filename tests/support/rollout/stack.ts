import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { ENVOY_METRICS } from "../../../contract/envoy/metrics.ts";
import { hostRoutesDirectory, slotHost } from "../../../contract/envoy/names.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { JOBS, type Job } from "../../../contract/monitoring.ts";
import { DEFAULT_WS_PORT, HTTP_PORT } from "../../../contract/server.ts";
import { dockerJobs } from "../../../components/monitoring/docker-jobs.ts";
import { renderPrometheus } from "../../../components/monitoring/prometheus.ts";
import { renderRules } from "../../../components/monitoring/rules.ts";
import { envoyContainer, ROUTER } from "../../../components/routing/docker.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import { type RolloutContext } from "../../../operations/rollout/ports/context.ts";
import type { SlotDeployer, SlotStatus } from "../../../operations/rollout/ports/deployer.ts";
import type { GateSettings } from "../../../operations/rollout/gates/settings.ts";
import { Prometheus } from "../../../operations/rollout/gates/prometheus.ts";
import { ensureRoutes } from "../../../contract/envoy/seed.ts";
import { accessKeys } from "../../../contract/envoy/access.ts";
import { ACCESS_SECRET, TEST_ACCESS } from "./access.ts";
import { freePorts } from "../free-ports.ts";
import { localRollout, type DockerRollout } from "../../../operations/rollout/local/context.ts";

/** The rollout's part of the local stack on plain Docker: two slots, the router, Prometheus with its rules. */
export interface RolloutStack {
  /** Prefix of everything it made. */
  readonly name: string;
  readonly home: string;
  readonly routerUrl: string;
  readonly webSocketUrl: string;
  readonly observeUrl: string;
  readonly prometheusUrl: string;
  readonly routesDirectory: string;
  readonly deployer: SlotDeployer;
  /** The blue slot's HTTP port without the router, for comparison. */
  readonly directUrl: string;
  context(options?: Partial<DockerRollout>): RolloutContext;
  down(): Promise<void>;
}

/** What a child process needs to build the same context. */
export type StackFacts = Pick<
  RolloutStack,
  "name" | "home" | "routerUrl" | "webSocketUrl" | "observeUrl" | "prometheusUrl" | "routesDirectory"
>;

/** Gates that pass soon and do not judge the speed of a busy machine, for tests of something else than the gates. */
export const QUICK_GATES: Partial<GateSettings> = {
  ...{ minimumSamples: 40, checkSeconds: 0.5, noDataSeconds: 60 },
  ...{ p95Milliseconds: 5000, p99Milliseconds: 10_000, webSocketMilliseconds: 10_000, minimumRoundTrips: 5 },
  // It needs half a minute of samples.
  memoryGrowth: 0,
};

/** A cutover of two steps that does not wait longer than it must. */
export const QUICK_CUTOVER = { steps: [20, 100], holdSeconds: 1, bakeSeconds: 1, drainSeconds: 60 } as const;

export interface RolloutStackOptions {
  /** Of both slots. */
  readonly image?: string;
  /** Whether Prometheus scrapes and evaluates as often as the product's, for a measurement; otherwise every second. */
  readonly productIntervals?: boolean;
}

/** The shares keep what is measured from waiting for other containers of the machine. */
const HARDENING = [
  "--cpu-shares",
  "8192",
  "--read-only",
  "--cap-drop",
  "ALL",
  "--security-opt",
  "no-new-privileges:true",
  "--init",
];

/** Brings the stack up with both slots on the image; it is ready when the router sees both and Prometheus has scraped it. */
export async function startRolloutStack({
  image = LOCAL_IMAGES.referenceServer,
  productIntervals = false,
}: RolloutStackOptions = {}): Promise<RolloutStack> {
  const name = `rollouttest-${randomBytes(3).toString("hex")}`;
  const home = await mkdtemp(join(tmpdir(), `${name}-`));
  await chmod(home, 0o755); // the router's user is not the one who runs the tests
  const [http = 0, webSocket = 0, observe = 0, prometheus = 0, direct = 0] = await freePorts(5);
  const routesDirectory = hostRoutesDirectory(home);
  await ensureRoutes(routesDirectory);
  const facts: StackFacts = {
    name,
    home,
    routesDirectory,
    routerUrl: `http://127.0.0.1:${String(http)}`,
    webSocketUrl: `ws://127.0.0.1:${String(webSocket)}`,
    observeUrl: `http://127.0.0.1:${String(observe)}`,
    prometheusUrl: `http://127.0.0.1:${String(prometheus)}`,
  };
  const deployer = new PlainDeployer(name, new Map([["blue", direct]]));
  const down = async (): Promise<void> => {
    const containers = await docker(["ps", "--all", "--quiet", "--filter", `label=${name}`]);
    const ids = containers.split("\n").filter((id) => id !== "");
    if (ids.length > 0) await docker(["rm", "--force", "--volumes", ...ids]);
    await tryDocker(["network", "rm", name]);
    await rm(home, { recursive: true, force: true });
  };
  try {
    await docker(["network", "create", "--label", name, name]);
    const signal = AbortSignal.timeout(120_000);
    for (const slot of SLOTS) await deployer.deploy(slot, image, signal);
    await startRouter(facts, { http, webSocket, observe });
    await startPrometheus(facts, prometheus, productIntervals);
    const context = localRollout({ ...facts, deployer, access: TEST_ACCESS });
    await until("both slots ready", 60, async () => {
      const ready = await context.traffic.readiness();
      return ready.blue && ready.green;
    });
    await until("the router scraped twice", 30, async () => {
      const series = await new Prometheus(facts.prometheusUrl).samples(
        `${ENVOY_METRICS.requestsTotal}{slot="green",kind="plain"}`,
        30,
      );
      return (series[0]?.samples.length ?? 0) >= 2;
    });
  } catch (error) {
    await down();
    throw error;
  }
  return {
    ...facts,
    deployer,
    directUrl: `http://127.0.0.1:${String(direct)}`,
    context: (options = {}) => localRollout({ ...facts, deployer, access: TEST_ACCESS, ...options }),
    down,
  };
}

/** Slots as plain containers; the real one is Compose's. */
export class PlainDeployer implements SlotDeployer {
  readonly #name: string;
  readonly #published: ReadonlyMap<Slot, number>;

  constructor(name: string, published: ReadonlyMap<Slot, number> = new Map<Slot, number>()) {
    this.#name = name;
    this.#published = published;
  }

  async deploy(slot: Slot, image: string, signal: AbortSignal): Promise<SlotStatus> {
    const container = this.container(slot);
    await tryDocker(["stop", "--time", "5", container], { signal });
    await tryDocker(["rm", "--force", container]);
    const port = this.#published.get(slot);
    await docker(
      [
        // Docker's own health check is not used here, and it would start a process in each slot every three seconds.
        ...["run", "--detach", "--no-healthcheck", "--name", container, "--label", this.#name],
        ...["--network", this.#name, "--network-alias", slotHost(slot), ...HARDENING, "--restart", "on-failure:5"],
        ...["--env", "EXAI_GRACE_SECONDS=2", "--env", `EXAI_SLOT=${slot}`, "--env", "LOG_LEVEL=warning"],
        ...(port === undefined ? [] : ["--publish", `127.0.0.1:${String(port)}:${String(HTTP_PORT)}`]),
        image,
      ],
      { signal },
    );
    return this.status(slot);
  }

  async drain(slot: Slot, graceSeconds: number, signal: AbortSignal): Promise<void> {
    await docker(["stop", "--time", String(graceSeconds), this.container(slot)], { signal });
  }

  async status(slot: Slot): Promise<SlotStatus> {
    const format = "{{.Id}} {{.Config.Image}} {{.Image}} {{.State.Running}} {{.RestartCount}}";
    const ran = await tryDocker(["container", "inspect", "--format", format, this.container(slot)]);
    if (ran.code !== 0) return { running: false, restarts: 0 };
    const [id = "", image = "", digest = "", running, restarts] = ran.stdout.trim().split(" ");
    return { id, image, digest, running: running === "true", restarts: Number(restarts) };
  }

  async logs(slot: Slot, lines: number): Promise<string> {
    const ran = await tryDocker(["logs", "--tail", String(lines), this.container(slot)]);
    return `${ran.stdout}${ran.stderr}`;
  }

  container(slot: Slot): string {
    return `${this.#name}-${slotHost(slot)}`;
  }
}

async function startRouter(
  facts: StackFacts,
  ports: { readonly http: number; readonly webSocket: number; readonly observe: number },
): Promise<void> {
  const spec = envoyContainer({
    platform: { instance: facts.name, stack: "test", networks: () => [facts.name] },
    webSocketPort: DEFAULT_WS_PORT,
    accessKeys: accessKeys(ACCESS_SECRET, 1),
    routesDirectory: facts.routesDirectory,
    ports,
  });
  const files: string[] = [];
  for (const [index, file] of (spec.files ?? []).entries()) {
    const path = join(facts.home, `router-${String(index)}`);
    await writeFile(path, file.content as string, { mode: 0o644 });
    files.push("--volume", `${path}:${file.path}:ro`);
  }
  const [entrypoint = ""] = spec.entrypoint ?? [];
  await docker([
    ...["run", "--detach", "--name", `${facts.name}-${ROUTER}`, "--label", facts.name, "--network", facts.name],
    ...["--network-alias", ROUTER, "--user", spec.user, ...HARDENING, "--restart", "on-failure:5", ...files],
    ...(spec.binds ?? []).flatMap((bind) => ["--volume", `${bind.hostPath as string}:${bind.path}:ro`]),
    ...(spec.ports ?? []).flatMap((port) => [
      "--publish",
      `${port.address ?? "127.0.0.1"}:${String(port.external)}:${String(port.internal)}`,
    ]),
    ...["--entrypoint", entrypoint, spec.image as string, ...(spec.command ?? [])],
  ]);
}

async function startPrometheus(facts: StackFacts, port: number, productIntervals: boolean): Promise<void> {
  const jobs: readonly Job[] = [JOBS.server, JOBS.router];
  const scraped = dockerJobs().filter(({ name }) => jobs.some((job) => job === name));
  const rules = renderRules({ jobs, backups: [] });
  // Every step waits for two scrapes.
  const quick = scraped.map((job) => ({ ...job, intervalSeconds: 1 }));
  const common = { externalLabels: {}, alertmanagers: [], ruleFiles: ["rules.yml"] };
  const files = productIntervals
    ? { "prometheus.yml": renderPrometheus({ ...common, jobs: scraped, intervalSeconds: 5 }), "rules.yml": rules }
    : {
        "prometheus.yml": renderPrometheus({ ...common, jobs: quick, intervalSeconds: 1 }),
        "rules.yml": rules.replaceAll(/interval: \d+s/gu, "interval: 1s"),
      };
  const mounts: string[] = [];
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(facts.home, name), content, { mode: 0o644 });
    mounts.push("--volume", `${join(facts.home, name)}:/etc/prometheus/${name}:ro`);
  }
  const data = join(facts.home, "prometheus");
  await mkdir(data);
  await chmod(data, 0o777);
  await docker([
    ...["run", "--detach", "--name", `${facts.name}-prometheus`, "--label", facts.name, "--network", facts.name],
    ...["--user", "65534:65534", ...HARDENING, "--publish", `127.0.0.1:${String(port)}:9090`],
    ...[...mounts, "--tmpfs", "/data:mode=1777"],
    ...[LOCAL_IMAGES.prometheus, "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data"],
  ]);
}

/** Asks again until the answer is yes. @throws Error that says what was waited for, and the last failure. */
export async function until(what: string, seconds: number, answer: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  let last = "";
  for (;;) {
    try {
      if (await answer()) return;
    } catch (error) {
      last = error instanceof Error ? `: ${error.message}` : "";
    }
    if (performance.now() > deadline) throw new Error(`${what}: not within ${String(seconds)} s${last}`);
    await sleep(100);
  }
}

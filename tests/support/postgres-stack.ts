import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runnerSpec } from "../../components/backups/docker.ts";
import { backupSchedules, drillTimes } from "../../components/backups/schedules.ts";
import type { ContainerSpec } from "../../components/core/container-spec.ts";
import { PGBOUNCER, POSTGRES_UID } from "../../components/database/paths.ts";
import { postgresSpec, POSTGRES } from "../../components/database/postgres.ts";
import { pgBouncerSpec, pgBouncerUsers } from "../../components/pool/docker.ts";
import { PATHS } from "../../components/core/paths.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { docker, tryDocker } from "../../operations/docker/cli.ts";
import { buildImage } from "../../operations/images/build.ts";
import { BASE_IMAGE, ensureBase } from "../../operations/images/base.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { Registries } from "../../operations/images/registry.ts";
import { sourceOf } from "../../operations/images/sources.ts";
import { readFileSync } from "node:fs";
import { freePort } from "./free-ports.ts";

/** Hardening that Docker takes on the command line, as `hardenedContainer` gives it. */
export const HARDENING = [
  ...["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--init"],
  ...["--memory", "512m", "--memory-swap", "512m", "--pids-limit", "200"],
];

/** The local database and its backup runner on plain Docker, from the specs of the components. */
export interface PostgresStack {
  /** Prefix of everything it made. */
  readonly name: string;
  readonly image: string;
  readonly password: string;
  readonly monitorPassword: string;
  /** URL of the server's login, exai_server. */
  readonly serverUrl: string;
  /** Passphrase of the repository. */
  readonly passphrase: string;
  /** URL of the owner. */
  readonly url: string;
  readonly port: number;
  /** Folder on the host for what a test wants to mount. */
  readonly home: string;
  /** Names of the containers. */
  readonly postgres: string;
  readonly runner: string;
  readonly network: string;
  startRunner(): Promise<void>;
  /** Gives the owner another password. */
  setPassword(password: string): Promise<void>;
  /** Starts PgBouncer as the local stack has it. @returns URL of the server's login through it */
  startPool(poolSize: number): Promise<string>;
  /** Runs SQL as the owner and returns unaligned rows. @param database default `postgres` */
  sql(statement: string, database?: string): Promise<string>;
  down(): Promise<void>;
}

/** Makes the image of images/postgres as it is now, under a tag of the tests' own. */
export function buildPostgresImage(): Promise<string> {
  return buildOwn(LOCAL_IMAGES.postgres);
}

async function buildOwn(image: string): Promise<string> {
  const tag = `${image}-test`;
  await ensureBase(BASE_IMAGE, new Registries());
  const source = sourceOf(image);
  if (source === undefined) throw new Error(`nothing builds ${image}`);
  await buildImage(await source.define(tag, BASE_IMAGE));
  // The image itself: another checkout may give the tag to its own.
  return (await docker(["image", "inspect", "--format", "{{.Id}}", tag])).trim();
}

/**
 * Starts the database and waits until it is healthy; the runner waits for {@link PostgresStack.startRunner}.
 *
 * @param options.repositoryMegabytes a repository in memory that can be filled; as large as the disk by default
 */
export async function startPostgresStack(
  options: { readonly repositoryMegabytes?: number } = {},
): Promise<PostgresStack> {
  const image = await buildPostgresImage();
  const name = `exai-dbtest-${randomBytes(3).toString("hex")}`;
  const home = await mkdtemp(join(tmpdir(), `${name}-`));
  await chmod(home, 0o755);
  const port = await freePort();
  const [password, monitorPassword, serverPassword, passphrase] = [1, 2, 3, 4].map(() =>
    randomBytes(12).toString("hex"),
  ) as [string, string, string, string];
  const volumes = {
    data: `${name}-postgres-data`,
    repository: `${name}-postgres-backups`,
    socket: `${name}-postgres-socket`,
  };
  const scratch = `${name}-backups-scratch`;
  const prelude = readFileSync(join(PROJECT_ROOT, "supabase/prelude.sql"), "utf8");
  const schedules = backupSchedules({
    timeZone: "UTC",
    dailyRetentionDays: 30,
    hourlyRetentionDays: 7,
    weeklyRetentionDays: 90,
  });
  const { repositoryMegabytes: size } = options;
  const mount = `o=size=${String(size)}m,uid=${String(POSTGRES_UID)},gid=${String(POSTGRES_UID)},mode=0700`;
  const limit = size === undefined ? [] : ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", mount];
  await docker(["network", "create", "--label", name, name]);
  for (const volume of [...Object.values(volumes), scratch])
    await docker(["volume", "create", "--label", name, ...(volume === volumes.repository ? limit : []), volume]);

  let owner = password;
  const stack: PostgresStack = {
    name,
    image,
    get password() {
      return owner;
    },
    monitorPassword,
    serverUrl: `postgres://exai_server:${serverPassword}@127.0.0.1:${port}/postgres?sslmode=disable`,
    passphrase,
    get url() {
      return `postgres://postgres:${owner}@127.0.0.1:${port}/postgres?sslmode=disable`;
    },
    port,
    home,
    postgres: `${name}-postgres`,
    runner: `${name}-backup-runner`,
    network: name,
    startRunner: async () => {
      await start(name, home, runnerSpec({ image, schedules, drill: drillTimes("UTC"), volumes, scratch, passphrase }));
    },
    setPassword: async (next) => {
      await stack.sql(`alter role postgres password '${next}'`);
      owner = next;
    },
    startPool: async (poolSize) => {
      const spec = pgBouncerSpec({
        image: await buildOwn(LOCAL_IMAGES.pgbouncer),
        database: { host: POSTGRES, port: 5432 },
        users: pgBouncerUsers(serverPassword),
        poolSize,
      });
      const external = await freePort();
      await start(name, home, { ...spec, ports: [{ internal: PGBOUNCER.port, external }] });
      await healthy(`${name}-${PGBOUNCER.host}`);
      return stack.serverUrl.replace(`:${port}/`, `:${external}/`);
    },
    sql: (statement, database = "postgres") => {
      const client = ["exec", "--interactive", "--env", `PGPASSWORD=${owner}`, `${name}-postgres`];
      return docker([...client, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", database], {
        input: statement,
      });
    },
    down: async () => {
      const containers = (await docker(["ps", "--all", "--quiet", "--filter", `label=${name}`]))
        .split("\n")
        .filter(Boolean);
      if (containers.length > 0) await docker(["rm", "--force", "--volumes", ...containers]);
      const made = (await docker(["volume", "ls", "--quiet", "--filter", `label=${name}`])).split("\n").filter(Boolean);
      if (made.length > 0) await docker(["volume", "rm", "--force", ...made]);
      await tryDocker(["network", "rm", name]);
      await rm(home, { recursive: true, force: true });
    },
  };
  try {
    const spec = postgresSpec(
      { image, password, monitorPassword, serverPassword, backupPassphrase: passphrase, port },
      volumes,
      prelude,
    );
    await start(name, home, spec);
    await healthy(stack.postgres);
  } catch (error) {
    const logs = await tryDocker(["logs", "--tail", "30", stack.postgres]);
    await stack.down();
    throw new Error(`the database did not start:\n${logs.stdout}${logs.stderr}`, { cause: error });
  }
  return stack;
}

/** Waits until the runner has made and verified the first backup. */
export async function firstBackup(stack: PostgresStack, seconds = 120): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while ((await stack.sql("select count(*) from public.backup_verification where status = 'passed'")) === "0\n") {
    if (Date.now() > deadline) throw new Error((await tryDocker(["logs", "--tail", "20", stack.runner])).stderr);
    await sleep(300);
  }
}

/** Waits until a container's health check passes. Docker would run it only after an interval. */
export async function healthy(container: string, seconds = 90): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const format = "{{.State.Status}} {{index .Config.Healthcheck.Test 1}}";
    const [state = "", ...check] = (await docker(["inspect", "--format", format, container])).trim().split(" ");
    if ((await tryDocker(["exec", container, "sh", "-c", check.join(" ")])).code === 0) return;
    if (Date.now() > deadline || state === "exited") throw new Error(`${container} is ${state} and not healthy`);
    await sleep(300);
  }
}

/** Runs a spec with its files as read-only mounts: the stack brings them in by volumes, the container sees the same. */
async function start(name: string, home: string, spec: ContainerSpec): Promise<void> {
  const mounts: string[] = [];
  for (const file of spec.files ?? []) {
    const source = join(home, spec.component, file.path);
    await mkdir(dirname(source), { recursive: true });
    await writeFile(source, file.content as string, { mode: 0o444 });
    mounts.push("--volume", `${source}:${file.path}:ro`);
  }
  for (const volume of spec.volumes ?? [])
    mounts.push("--volume", `${volume.name as string}:${volume.path}${volume.readOnly === true ? ":ro" : ""}`);
  const { healthCheck } = spec;
  await docker([
    ...["run", "--detach", "--name", `${name}-${spec.component}`, "--label", name],
    ...(PATHS.some(({ from, to }) => [from, to].includes(spec.component))
      ? ["--network", name, "--network-alias", spec.component]
      : ["--network", "none"]),
    ...["--user", spec.user, ...HARDENING, ...mounts],
    ...Object.entries(spec.tmpfs ?? {}).flatMap(([path, options]) => ["--tmpfs", `${path}:${options}`]),
    ...Object.entries(spec.environment ?? {}).flatMap(([key, value]) => ["--env", `${key}=${value as string}`]),
    ...(spec.ports ?? []).flatMap((port) => ["--publish", `127.0.0.1:${port.external}:${port.internal}`]),
    ...["--health-cmd", healthCheck.test.slice(1).join(" "), "--health-interval", "1m"],
    ...(spec.entrypoint?.[0] === undefined ? [] : ["--entrypoint", spec.entrypoint[0]]),
    ...[spec.image as string, ...(spec.command ?? [])],
  ]);
}

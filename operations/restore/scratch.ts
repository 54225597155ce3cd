import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { LABELS } from "../../contract/labels.ts";
import { docker, DockerError, tryDocker } from "../docker/cli.ts";
import { branches, storedBackups, storedSegments, timelineOf, type Repository } from "./repository.ts";
import { loggedCommits, type LoggedCommit } from "./wal.ts";

/** The local stack whose database is restored. */
export interface RestorePlace {
  readonly stack: string;
  readonly instance: string;
  /** Image of the database. */
  readonly image: string;
  /** Passphrase of the repository. */
  readonly passphrase: string;
  /** URL of the database's owner. */
  readonly url: string;
}

/** Volumes of the instance, as the program names them. */
export const volumesOf = (instance: string) => ({
  data: `${instance}-postgres-data`,
  repository: `${instance}-postgres-backups`,
});

/** Places inside of a container of images/postgres. */
const PATHS = { data: "/var/lib/postgresql/data", repository: "/var/lib/pgbackrest" } as const;

/** UID and GID of all processes of images/postgres. */
const USER = "10999:10999";

/** A container with the backup tools and one data directory, in which a server can be started. */
export class ScratchServer {
  readonly container: string;
  readonly #signal: AbortSignal | undefined;

  private constructor(container: string, signal: AbortSignal | undefined) {
    this.container = container;
    this.#signal = signal;
  }

  /** Starts the container on a separate volume. @throws UserError if there is one of that name */
  static async create(place: RestorePlace, name: string, signal?: AbortSignal): Promise<ScratchServer> {
    const container = containerName(place.instance, name);
    const volume = `${container}-data`;
    await refuseExisting(place, name, container);
    await docker(["volume", "create", ...labelsOf(place), volume]);
    return ScratchServer.start(place, { name, volume, ...(signal === undefined ? {} : { signal }) });
  }

  /** Starts the container on a given volume. It replaces one of the same name. */
  static async start(
    place: RestorePlace,
    options: {
      readonly name: string;
      readonly volume: string;
      /** Data directory below the volume. @default "pgdata" */
      readonly directory?: string;
      /** Whether its files become those of the database: what it writes is then marked for the archive. @default false */
      readonly becomesDatabase?: boolean;
      readonly signal?: AbortSignal;
    },
  ): Promise<ScratchServer> {
    const { instance, image, passphrase } = place;
    const { name, volume, directory = "pgdata", becomesDatabase = false, signal } = options;
    const container = containerName(instance, name);
    const server = new ScratchServer(container, signal);
    await tryDocker(["rm", "--force", container]);
    await docker([
      ...["run", "--detach", "--init", "--name", container, "--network", "none", "--user", USER, "--read-only"],
      ...["--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--memory", "512m", "--pids-limit", "400"],
      ...["--tmpfs", "/tmp:size=64m,mode=1777,nosuid,nodev,noexec", ...labelsOf(place)],
      ...[
        "--volume",
        `${volume}:${PATHS.data}`,
        "--volume",
        `${volumesOf(instance).repository}:${PATHS.repository}:ro`,
      ],
      ...["--env", `SCRATCH=${PATHS.data}/${directory}`, "--env", `EXAI_ARCHIVE=${becomesDatabase ? "on" : "off"}`],
      ...["--env", "PGHOST=/tmp/exai-scratch", "--env", "PGUSER=postgres", "--env", "PGDATABASE=postgres"],
      // A transaction that the target cuts off may hold a lock: an error is better than a session that waits for ever.
      ...["--env", "PGOPTIONS=-c lock_timeout=10s"],
      ...["--entrypoint", "sleep", image, "infinity"],
    ]);
    // The passphrase is never an argument or a variable: it goes into the container's memory.
    const configure =
      "umask 077; cat > /tmp/passphrase; BACKUP_PASSPHRASE_FILE=/tmp/passphrase exec exai-postgres true";
    await server.run(["bash", "-c", configure], passphrase);
    return server;
  }

  /** Runs a program in the container. @throws DockerError if it fails */
  async run(program: readonly string[], input?: string): Promise<string> {
    const stdin = input === undefined ? [] : ["--interactive"];
    return docker(["exec", ...stdin, this.container, ...program], {
      ...(input === undefined ? {} : { input }),
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
  }

  /** Reads the repository. @throws UserError if it cannot be read, or has no backup */
  async repository(): Promise<Repository> {
    const pgbackrest = (...args: readonly string[]) =>
      this.run(["pgbackrest", "--log-level-console=off", "--log-level-stderr=error", ...args]);
    try {
      const backups = storedBackups(await pgbackrest("--stanza=exai", "--output=json", "info"));
      if (backups.length === 0)
        throw new UserError("not-found", "repository of the backups", "has no backup", fix`${command("backup list")}`);
      const list = await pgbackrest("--output=json", "repo-ls", "--recurse", "archive/exai");
      const segments = storedSegments(list);
      const archive = /"(\d+-\d+)"/.exec(list)?.[1] ?? "";
      const timelines = [...new Set(segments.map(({ name }) => timelineOf(name)))].filter((timeline) => timeline > 1);
      const histories = await Promise.all(
        timelines.map(async (timeline) => {
          const file = `${timeline.toString(16).toUpperCase().padStart(8, "0")}.history`;
          const text = await pgbackrest("repo-get", `archive/exai/${archive}/${file}`).catch(() => "");
          return [timeline, branches(text)] as const;
        }),
      );
      return { backups, segments, histories: new Map(histories) };
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      throw new UserError(
        "unavailable",
        "repository of the backups",
        `cannot be read: ${reason(error)}`,
        fix`${command("backup verify")}`,
        { cause: error },
      );
    }
  }

  /** What is in the volume of the database. */
  async directories(): Promise<Directories> {
    const [archived = "", free] = (await this.run(["exai-in-place", "state"])).trim().split(" ");
    return { archived: archived as Directories["archived"], freeMegabytes: Number(free) };
  }

  /** Restores the files of a backup. */
  async fetch(label: string): Promise<void> {
    await this.#scratch("fetch", `--set=${label}`, "--delta");
  }

  /** The commits in these segments. */
  async commits(segments: readonly string[]): Promise<readonly LoggedCommit[]> {
    if (segments.length === 0) return [];
    return loggedCommits(await this.run(["exai-wal", ...segments]));
  }

  /** Starts the server, and waits until it is read-only at its target, or promoted without one. */
  async start(settings: Readonly<Record<string, string>>): Promise<void> {
    await this.#scratch("start", ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]));
  }

  async promote(): Promise<void> {
    await this.#scratch("promote");
  }

  async stop(): Promise<void> {
    await this.#scratch("stop");
  }

  /** Runs SQL as the owner; returns rows of fields separated by `|`. */
  async sql(statement: string): Promise<string> {
    return (await this.run(["exai-scratch", "sql"], statement)).trim();
  }

  /** Removes the container, and its volume. */
  async remove(): Promise<void> {
    await removeScratch(this.container);
  }

  async #scratch(...args: readonly string[]): Promise<void> {
    try {
      await this.run(["exai-scratch", ...args]);
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      throw new UserError(
        "failed",
        `restore: ${args[0] ?? ""}`,
        reason(error),
        fix`${command("backup verify")} says whether the repository is sound`,
        { cause: error },
      );
    }
  }
}

/** What is in the volume of a database. */
export interface Directories {
  /** `none` without a database; `all` if its server has ended and archived what it wrote; else `unclean`. */
  readonly archived: "none" | "all" | "unclean";
  readonly freeMegabytes: number;
}

function labelsOf({ instance, stack }: RestorePlace): readonly string[] {
  return ["--label", `${LABELS.restored}=${instance}`, "--label", `${LABELS.stack}=${stack}`];
}

/** A scratch server that exists. */
export interface ScratchInfo {
  readonly name: string;
  /** On a cluster, its Job. */
  readonly container: string;
  /** On a cluster; absent on this machine. */
  readonly namespace?: string;
  readonly stack?: string;
  readonly running: boolean;
  readonly createdAt: Date;
}

/** The scratch servers of an instance, oldest first. */
export async function listScratch(instance: string): Promise<readonly ScratchInfo[]> {
  const format = "{{.Names}}\t{{.State}}\t{{.CreatedAt}}";
  const filter = `label=${LABELS.restored}=${instance}`;
  const lines = (await docker(["ps", "--all", "--filter", filter, "--format", format])).split("\n").filter(Boolean);
  return lines
    .map((line) => {
      const [container = "", state, created = ""] = line.split("\t");
      const createdAt = new Date(created.replace(/ [A-Z]+$/, ""));
      return {
        name: container.slice(containerName(instance, "").length),
        container,
        running: state === "running",
        createdAt,
      };
    })
    .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
}

/** Makes a read-only scratch server writable. @throws UserError if there is none of that name */
export async function promoteScratch(instance: string, name: string): Promise<ScratchInfo> {
  const found = await scratchNamed(instance, name);
  await docker(["exec", found.container, "exai-scratch", "promote"]);
  return found;
}

/** Removes one scratch server. @throws UserError if there is none of that name */
export async function dropScratch(instance: string, name: string): Promise<ScratchInfo> {
  const found = await scratchNamed(instance, name);
  await removeScratch(found.container);
  return found;
}

async function scratchNamed(instance: string, name: string): Promise<ScratchInfo> {
  const found = (await listScratch(instance)).find((each) => each.name === name);
  if (found !== undefined) return found;
  throw new UserError("not-found", name, "is not a scratch server of this stack", fix`${command("restore list")}`);
}

/** Removes all scratch servers of an instance. */
export async function dropAllScratch(instance: string): Promise<readonly string[]> {
  const all = await listScratch(instance);
  for (const { container } of all) await removeScratch(container);
  return all.map(({ container }) => container);
}

async function removeScratch(container: string): Promise<void> {
  await tryDocker(["rm", "--force", container]);
  await tryDocker(["volume", "rm", "--force", `${container}-data`]);
}

/** Name of a scratch server's container. */
function containerName(instance: string, name: string): string {
  return `${instance}-restored-${name}`;
}

async function refuseExisting({ instance }: RestorePlace, name: string, container: string): Promise<void> {
  if ((await listScratch(instance)).every((each) => each.container !== container)) return;
  throw new UserError(
    "state-conflict",
    name,
    "a scratch server of this name exists",
    fix`choose another name with --into, or ${command(`restore drop ${name}`)}`,
  );
}

/** What pgBackRest, or the server, said. */
function reason({ stderr }: DockerError): string {
  const lines = stderr.split("\n").map((line) => line.replace(/^.*?(?:ERROR|FATAL|PANIC): */, "").trim());
  return lines.filter(Boolean).slice(-3).join("; ") || "it failed without a message";
}

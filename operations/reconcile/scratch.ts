import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { docker, tryDocker } from "../docker/cli.ts";
import { ensureImages } from "../images/ensure.ts";
import { PROJECT_ROOT } from "../images/paths.ts";
import { withClient } from "../migrations/client.ts";
import { databaseUrl } from "../migrations/url.ts";
import { removeOrphans, scratchLabel } from "./orphans.ts";

/** A separate PostgreSQL server that is thrown away: as empty as a project before its first migration. */
export interface Scratch {
  /** Connection string of the owner. */
  readonly url: string;
  end(): Promise<void>;
}

export interface ScratchOptions {
  /** Image with PostgreSQL and its extensions. @default that of the local stack */
  readonly image?: string;
  /** Keeps its data on the disk instead of in memory. @default false */
  readonly disk?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Seconds until a server that does not come up is given up. */
const START_SECONDS = 60;

/** Waits for its files, which come by standard input: no password is in an argument or in the environment. */
const START = `while [ ! -e /tmp/scratch/ready ]; do sleep 0.05; done
exec exai-postgres server -c archive_mode=off -c fsync=off -c full_page_writes=off -c cron.max_running_jobs=0`;

const RECEIVE = `umask 077; mkdir -p /tmp/scratch; IFS= read -r password; printf '%s' "$password" > /tmp/scratch/password
cat > /tmp/scratch/prelude.sql; touch /tmp/scratch/ready`;

/**
 * Starts a scratch server on this machine, on loopback, with its data in memory
 * by default. Statements of migrations never run on the
 * user's server, and roles, which all databases of a server share, cannot collide.
 *
 * @throws UserError if Docker cannot be used, or the image is not available
 */
export async function openScratch(options: ScratchOptions = {}): Promise<Scratch> {
  const { image = LOCAL_IMAGES.postgres, signal } = options;
  await provided(image, signal);
  await removeOrphans();
  const name = `exai-scratch-${randomBytes(4).toString("hex")}`;
  const password = randomBytes(16).toString("hex");
  const end = async () => {
    await tryDocker(["rm", "--force", "--volumes", name]);
  };
  const environment = {
    POSTGRES_INIT_SQL: "/tmp/scratch/prelude.sql",
    POSTGRES_PASSWORD_FILE: "/tmp/scratch/password",
    // With it the exporter's role may log in, as on a local stack.
    POSTGRES_MONITOR_PASSWORD_FILE: "/tmp/scratch/password",
    BACKUP_PASSPHRASE_FILE: "/tmp/scratch/password",
  };
  try {
    await docker([
      ...["run", "--detach", "--name", name, "--label", await scratchLabel(), "--publish", "127.0.0.1::5432"],
      ...["--security-opt", "no-new-privileges"],
      ...(options.disk === true ? [] : ["--tmpfs", "/var/lib/postgresql/data:uid=10999,gid=10999,mode=0700"]),
      ...Object.entries(environment).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
      ...["--entrypoint", "bash", image, "-c", START],
    ]);
    const input = `${password}\n${readFileSync(join(PROJECT_ROOT, "supabase/prelude.sql"), "utf8")}`;
    await docker(["exec", "--interactive", name, "bash", "-c", RECEIVE], { input });
    const [address = ""] = (await docker(["port", name, "5432/tcp"])).trim().split("\n");
    const url = `postgres://postgres:${password}@${address}/postgres?sslmode=disable`;
    await answering(url, name, signal);
    return { url, end };
  } catch (error) {
    await end().catch(() => undefined);
    throw error;
  }
}

async function provided(image: string, signal = new AbortController().signal): Promise<void> {
  const events = ensureImages([image], { signal });
  for (;;) {
    const { done, value } = await events.next();
    if (done !== true) continue; // the operation that needs it reports its own progress
    if (value.missing.length === 0) return;
    throw new UserError(
      "not-found",
      `image ${image}`,
      "is not on this machine and cannot be built",
      fix`${command("up")}`,
    );
  }
}

/** Waits until the server answers: during its first start it listens on a private socket alone. */
async function answering(url: string, name: string, signal: AbortSignal | undefined): Promise<void> {
  const deadline = performance.now() + START_SECONDS * 1000;
  for (;;) {
    signal?.throwIfAborted();
    const up = await withClient(databaseUrl(url), (client) => client.query("select"), { seconds: 2 }).catch(
      () => undefined,
    );
    if (up !== undefined) return;
    const state = (await tryDocker(["inspect", "--format", "{{.State.Status}}", name])).stdout.trim();
    if (performance.now() > deadline || state !== "running") {
      const logs = await tryDocker(["logs", "--tail", "5", name]);
      const last = `${logs.stdout}${logs.stderr}`.trim().split("\n").slice(-2).join(" / ");
      throw new UserError("unavailable", "scratch database", `does not start: ${last}`, fix`${command("doctor")}`);
    }
    await sleep(100);
  }
}

/**
 * Takes from a scratch server what only the local image brings, if the server that it stands for does not have it: a hosted
 * project has no functions of the local backups. Whether the role of the server can log in does not depend on migrations: each stack gives
 * it a password, so the scratch server has it as the other server does.
 */
export async function matchPlatform(scratch: Client, target: Client): Promise<void> {
  const { rows } = await target.query<{ local: boolean; login: boolean }>(
    `select to_regnamespace('exai_local') is not null as local,
       exists (select from pg_roles where rolname = 'exai_server' and rolcanlogin) as login`,
  );
  const { local = false, login = false } = rows[0] ?? {};
  if (login) await scratch.query("alter role exai_server login");
  if (local) return;
  await scratch.query(`drop schema exai_local cascade; drop extension pg_cron cascade;
    drop owned by exai_backup, exai_monitor cascade; drop role exai_backup, exai_monitor${login ? "" : ", exai_server"}`);
}

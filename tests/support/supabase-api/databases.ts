import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { applyMigrations, readLedger } from "../../../operations/migrations/apply.ts";
import { withClient } from "../../../operations/migrations/client.ts";
import { databaseUrl } from "../../../operations/migrations/url.ts";
import { replay } from "../../../operations/reconcile/ledger.ts";
import { buildPostgresImage, HARDENING } from "../postgres-stack.ts";
import { runOperation } from "../verbs.ts";
import type { BranchDatabases, BranchState } from "./world.ts";

/** Ports inside the container, one for each server that may run: the first is main's. */
const PORTS = [6000, 6001, 6002, 6003, 6004];

/** The databases of a project and of its branches: a real server each, in one container. */
export interface ProjectDatabases extends BranchDatabases {
  /** Connection string of main's owner, without TLS. */
  readonly main: string;
  readonly password: string;
  /** Port on this machine of a project's database; main's if it is not a branch. */
  portOf(project: string): number;
  close(): Promise<void>;
}

/** Prepares the files of a project before its first migration, and runs until it is stopped. */
const SERVE = [
  'printf %s "$PASSWORD" > /tmp/password',
  "initdb -D /tmp/empty -U postgres --auth-host=scram-sha-256 --pwfile=/tmp/password --no-sync > /dev/null",
  'echo "host all all all scram-sha-256" >> /tmp/empty/pg_hba.conf',
  "echo \"listen_addresses = '*'\nunix_socket_directories = '/tmp'\nfsync = off\nshared_buffers = 16MB\" >> /tmp/empty/postgresql.conf",
  "pg_ctl -D /tmp/empty -s -w -l /tmp/log -o '-p 6000 -c listen_addresses=' start",
  "psql -X -q -v ON_ERROR_STOP=1 -h /tmp -p 6000 -U postgres -f /tmp/prelude.sql > /dev/null",
  "pg_ctl -D /tmp/empty -s -w stop",
  "touch /tmp/prepared",
].join(" && ");

/** Starts a server on a copy of the empty project's files or, with data, of main's. */
const START = `port=$1; rm -rf /tmp/$port
if [ "$2" = data ]; then pg_basebackup -h /tmp -p 6000 -U postgres -D /tmp/$port -c fast --no-sync; else cp -a /tmp/empty /tmp/$port; fi
pg_ctl -D /tmp/$port -s -w -l /tmp/log.$port -o "-p $port" start
psql -X -q -h /tmp -p $port -U postgres -c "alter role postgres password '$PASSWORD'"`;

/**
 * Starts the database of a project, with the migrations of this checkout.
 *
 * @param ahead how many of them the project that Supabase makes branches of does not have
 */
export async function startProjectDatabases(ahead: number): Promise<ProjectDatabases> {
  const image = await buildPostgresImage();
  const name = `exai-hosted-${randomBytes(3).toString("hex")}`;
  const password = randomBytes(12).toString("hex");
  const published = PORTS.flatMap((port) => ["--publish", `127.0.0.1::${String(port)}`]);
  const run = [
    "run",
    "--detach",
    "--name",
    name,
    ...HARDENING,
    "--tmpfs",
    "/tmp:mode=1777",
    "--memory",
    "1g",
    "--memory-swap",
    "1g",
    ...published,
  ];
  await docker([...run, "--entrypoint", "sleep", image, "3600"]);
  const inside = (
    script: string,
    words: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ) => {
    const variables = Object.entries(environment).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
    return docker(["exec", ...variables, name, "sh", "-euc", script, "sh", ...words]);
  };
  const prelude = readFileSync(join(PROJECT_ROOT, "supabase/prelude.sql"), "utf8");
  await docker(["exec", "--interactive", name, "sh", "-c", "cat > /tmp/prelude.sql"], { input: prelude });
  await inside(SERVE, [], { PASSWORD: password });
  const addresses = await docker(["port", name]);
  const onHost = (port: number) => Number(new RegExp(`^${String(port)}/tcp -> .*:(\\d+)$`, "m").exec(addresses)?.[1]);
  const urlOf = (port: number, secret: string) =>
    `postgres://postgres:${secret}@127.0.0.1:${String(onHost(port))}/postgres?sslmode=disable`;
  const ports = new Map<string, number>();
  const main = urlOf(6000, password);
  await inside(START, ["6000", "empty"], { PASSWORD: password });
  await runOperation(applyMigrations(main));
  return {
    main,
    password,
    portOf: (project) => onHost(ports.get(project) ?? 6000),
    create: async ({ project, withData }: BranchState) => {
      const port = PORTS.find((each) => each !== 6000 && ![...ports.values()].includes(each));
      if (port === undefined) throw new Error("there are as many branches as servers");
      ports.set(project.ref, port);
      await inside(START, [String(port), withData ? "data" : "empty"], { PASSWORD: project.password });
      return withData ? undefined : replayLedger(main, urlOf(port, project.password), ahead);
    },
    remove: async ({ project }) => {
      const port = ports.get(project.ref);
      if (port === undefined) return;
      await inside("pg_ctl -D /tmp/$1 -s -w -m immediate stop; rm -rf /tmp/$1", [String(port)]);
      ports.delete(project.ref);
    },
    close: async () => {
      await tryDocker(["rm", "--force", "--volumes", name]);
    },
  };
}

/** Runs the migrations of main's ledger on an empty project, as Supabase does. @returns why one failed */
async function replayLedger(main: string, branch: string, ahead: number): Promise<string | undefined> {
  const ledger = [...(await readLedger(databaseUrl(main))).values()].slice(0, -ahead);
  return withClient(databaseUrl(branch), async (client) => {
    await client.query(`create schema supabase_migrations;
      create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text)`);
    const migrations = ledger.map((record) => ({ ...record, statements: record.statements ?? [] }));
    const failure = await replay(client, migrations, async ({ version, name, statements }) => {
      const values = [version, name, statements];
      await client.query(
        "insert into supabase_migrations.schema_migrations (version, name, statements) values ($1, $2, $3)",
        values,
      );
    });
    return failure === undefined ? undefined : `ERROR: ${failure.message} (migration ${failure.version})`;
  });
}

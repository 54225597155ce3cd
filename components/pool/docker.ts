import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { ExaiComponent } from "../core/component.ts";
import type { ContainerSpec, DockerPlatform } from "../core/container-spec.ts";
import { hardenedContainer } from "../core/container.ts";
import type { Transform } from "../core/transform.ts";
import { PGBOUNCER, SERVER_ROLE } from "../database/paths.ts";

export interface DockerPgBouncerArgs {
  readonly platform: DockerPlatform;
  /** Built from images/pgbouncer. */
  readonly image: pulumi.Input<string>;
  /** Where the database answers, on the instance's network. */
  readonly database: { readonly host: string; readonly port: number };
  /** Password of the server's role. */
  readonly serverPassword: pulumi.Input<string>;
  /** Connections to the database, which both slots share. */
  readonly poolSize: number;
  /** Escape hatch. */
  readonly transform?: { readonly container?: Transform<docker.ContainerArgs> };
}

/**
 * The pool between the slots and the local database, in transaction mode like the pooler of a Supabase project. The slots reach the
 * database through it only, so that the pool's size bounds the connections of both. Migrations, backups, monitoring and people
 * connect to the database itself.
 */
export class DockerPgBouncer extends ExaiComponent {
  /** How the slots connect, inside the instance's network. */
  readonly serverUrl: pulumi.Output<string>;

  constructor(name: string, args: DockerPgBouncerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("exai:pool:DockerPgBouncer", name, { poolSize: args.poolSize, withoutScrape: [PGBOUNCER.host] }, opts);
    const users = pulumi.secret(pulumi.output(args.serverPassword).apply(pgBouncerUsers));
    hardenedContainer(
      `${name}-server`,
      pgBouncerSpec({ ...args, users }),
      args.platform,
      { parent: this },
      args.transform?.container,
    );
    this.serverUrl = pulumi.secret(
      pulumi.interpolate`postgres://${SERVER_ROLE}:${args.serverPassword}@${PGBOUNCER.host}:${PGBOUNCER.port}/postgres?sslmode=disable`,
    );
    this.registerOutputs({});
  }
}

/** The file of the users and their passwords; pure. */
export function pgBouncerUsers(serverPassword: string): string {
  return `"${SERVER_ROLE}" "${serverPassword.replaceAll('"', '""')}"\n`;
}

/** The pool's container; pure. */
export function pgBouncerSpec(
  args: Pick<DockerPgBouncerArgs, "image" | "database" | "poolSize"> & { readonly users: pulumi.Input<string> },
): ContainerSpec {
  return {
    component: PGBOUNCER.host,
    image: args.image,
    user: `${String(PGBOUNCER.uid)}:${String(PGBOUNCER.uid)}`,
    command: [PGBOUNCER.configuration],
    files: [
      { path: PGBOUNCER.configuration, content: pgBouncerConfiguration(args) },
      { path: PGBOUNCER.users, content: args.users, secret: true },
    ],
    memoryMegabytes: 64,
    cpus: 1,
    pids: 32,
    healthCheck: { test: ["CMD", "exai-pgbouncer-healthy"], startPeriodSeconds: 15 },
  };
}

/** `pgbouncer.ini`; pure. */
export function pgBouncerConfiguration({
  database,
  poolSize,
}: Pick<DockerPgBouncerArgs, "database" | "poolSize">): string {
  const settings = {
    listen_addr: "0.0.0.0",
    listen_port: PGBOUNCER.port,
    unix_socket_dir: "",
    // A slot proves its password to PgBouncer, and PgBouncer the same one to PostgreSQL. A verifier in its place works only as
    // long as PostgreSQL has the same salt, which a change of the password or a restore would end.
    auth_type: "scram-sha-256",
    auth_file: PGBOUNCER.users,
    pool_mode: "transaction",
    default_pool_size: poolSize,
    // Each slot opens as many as the pool has; a slot that is replaced may leave its own behind for a moment.
    max_client_conn: 4 * poolSize,
    // As long as a request waits in the server itself; it is then refused with the time at which the pool will have room.
    query_wait_timeout: 5,
    server_idle_timeout: 600,
    server_connect_timeout: 3,
    // While PostgreSQL does not answer, clients are refused at once, and it is tried each second.
    server_login_retry: 1,
    // The address of a container changes when it is made again.
    dns_max_ttl: 5,
    dns_nxdomain_ttl: 1,
    log_connections: 0,
    log_disconnections: 0,
    log_stats: 0,
  };
  return [
    "[databases]",
    `postgres = host=${database.host} port=${String(database.port)}`,
    "[pgbouncer]",
    ...Object.entries(settings).map(([name, value]) => `${name} = ${String(value)}`),
    "",
  ].join("\n");
}

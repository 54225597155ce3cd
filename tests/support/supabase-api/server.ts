import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  branchDatabase,
  deploy,
  describeBranch,
  describeFunction,
  describeProject,
  keys,
  pooler,
  restrictions,
} from "./answers.ts";
import { sha256, World, type BranchDatabases, type BranchState, type ProjectState } from "./world.ts";

/** One request that the server took. */
export interface Recorded {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
}

export interface SupabaseApi {
  /** `http://127.0.0.1:<port>`: the provider's `endpoint`. */
  readonly url: string;
  readonly world: World;
  readonly requests: readonly Recorded[];
  /** Makes the next request of a method to a path that ends so answer with a status, headers and a body. */
  failNext(
    method: string,
    pathEnd: string,
    status: number,
    headers?: Readonly<Record<string, string>>,
    body?: unknown,
  ): void;
  close(): Promise<void>;
}

export interface SupabaseApiOptions {
  /** Only this access token is taken. @default any that begins with `sbp_` */
  readonly token?: string;
  /** How many times a new project says that it is still coming up. @default 1 */
  readonly comingUp?: number;
  readonly port?: number;
  /** The real databases behind branches. @default none */
  readonly branches?: BranchDatabases;
  /** A real database behind every project: host of its pooler, and password of its owner. @default none */
  readonly database?: {
    readonly host: string;
    readonly password: string;
    /** Gives the owner the password of a project. */
    readonly setPassword?: (password: string) => Promise<void>;
  };
}

interface Call {
  readonly method: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly json: Record<string, unknown>;
}

type Reply = readonly [status: number, body?: unknown, headers?: Readonly<Record<string, string>>];
type Handler = (call: Call, ...parts: string[]) => Reply | Promise<Reply>;

/**
 * The part of Supabase's Management API that the Terraform provider 1.9 uses, kept in memory, over real HTTP: projects,
 * settings, branches, edge functions and their secrets, API keys, the pooler. Shapes and status codes are the API's.
 */
export async function startSupabaseApi(options: SupabaseApiOptions = {}): Promise<SupabaseApi> {
  const world = new World(options.database);
  const requests: Recorded[] = [];
  const failures: { readonly method: string; readonly pathEnd: string; readonly reply: Reply }[] = [];
  const table = routes(world, options);

  const answer = async (incoming: IncomingMessage): Promise<Reply> => {
    const body = await read(incoming);
    const url = new URL(incoming.url ?? "/", "http://localhost");
    const method = incoming.method ?? "GET";
    requests.push({ method, path: url.pathname });
    const token = /^Bearer (.+)$/.exec(incoming.headers.authorization ?? "")?.[1] ?? "";
    if (options.token === undefined ? !token.startsWith("sbp_") : token !== options.token)
      return [401, { message: "Unauthorized" }];
    const planned = failures.findIndex((item) => item.method === method && url.pathname.endsWith(item.pathEnd));
    const [failure] = planned < 0 ? [] : failures.splice(planned, 1);
    if (failure !== undefined) return failure.reply;

    for (const [verb, pattern, handler] of table) {
      const match = verb === method ? pattern.exec(url.pathname) : null;
      if (match === null) continue;
      const isJson = incoming.headers["content-type"]?.startsWith("application/json") === true && body.length > 0;
      const json = isJson ? (JSON.parse(body.toString("utf8")) as Record<string, unknown>) : {};
      return handler({ method, query: url.searchParams, body, json }, ...match.slice(1));
    }
    return [404, { message: `this server has no ${method} ${url.pathname}` }];
  };

  const server = createServer((incoming, outgoing) => {
    answer(incoming)
      .catch((error: unknown): Reply => [500, { message: String(error) }])
      .then(([status, content, headers]) => {
        const isText = typeof content === "string";
        outgoing.writeHead(status, { "content-type": isText ? "text/plain" : "application/json", ...headers });
        outgoing.end(isText ? content : content === undefined ? "" : JSON.stringify(content));
      })
      .catch((error: unknown) => outgoing.destroy(error instanceof Error ? error : undefined));
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    world,
    requests,
    failNext: (method, pathEnd, status, headers = {}, body = { message: "made to fail" }) =>
      failures.push({ method, pathEnd, reply: [status, body, headers] }),
    close: () => closed(server),
  };
}

function routes(
  world: World,
  { comingUp = 1, database, branches: databases }: SupabaseApiOptions,
): readonly (readonly [string, RegExp, Handler])[] {
  const missing: Reply = [404, { message: "Resource has been removed or does not exist" }];
  const inProject =
    (handler: (project: ProjectState, call: Call, ...rest: string[]) => Reply | Promise<Reply>): Handler =>
    (call, ref = "", ...rest) => {
      const project = world.projects.get(ref);
      return project === undefined ? missing : handler(project, call, ...rest);
    };
  const inBranch =
    (handler: (branch: BranchState, call: Call) => Reply | Promise<Reply>): Handler =>
    (call, id = "") => {
      const branch = world.branches.get(id);
      return branch === undefined ? missing : handler(branch, call);
    };
  const of = (tail: string): RegExp => new RegExp(`^/v1/projects/([a-z]+)${tail}$`);
  const section = (tail: string, update: string, choose: (project: ProjectState) => Record<string, unknown>) =>
    [
      ["GET", of(tail), inProject((project) => [200, choose(project)])],
      [update, of(tail), inProject((project, { json }) => [200, Object.assign(choose(project), json)])],
    ] as const;

  return [
    [
      "POST",
      /^\/v1\/projects$/,
      async ({ json }) => {
        const region = (json.region_selection as { code?: string } | undefined)?.code ?? text(json.region);
        const project = world.addProject(
          {
            name: text(json.name),
            organization: text(json.organization_slug),
            region,
            password: text(json.db_pass),
            ...(typeof json.desired_instance_size === "string" ? { instanceSize: json.desired_instance_size } : {}),
          },
          comingUp,
        );
        await database?.setPassword?.(project.password);
        return [201, describeProject(project, "COMING_UP")];
      },
    ],
    [
      "GET",
      /^\/v1\/projects$/,
      () => [200, [...world.projects.values()].map((each) => describeProject(each, "ACTIVE_HEALTHY"))],
    ],
    [
      "GET",
      of(""),
      inProject((project) => {
        const status = project.comingUp > 0 ? "COMING_UP" : (project.states.shift() ?? "ACTIVE_HEALTHY");
        if (project.comingUp > 0) project.comingUp--;
        return [200, describeProject(project, status)];
      }),
    ],
    [
      "PATCH",
      of(""),
      inProject((project, { json }) => {
        project.name = text(json.name);
        return [200, { id: 1, name: project.name, ref: project.ref }];
      }),
    ],
    [
      "DELETE",
      of(""),
      inProject((project) => {
        world.removeProject(project.ref);
        return [200, { id: 1, name: project.name, ref: project.ref }];
      }),
    ],
    [
      "PATCH",
      of("/database/password"),
      inProject(async (project, { json }) => {
        project.password = text(json.password);
        await database?.setPassword?.(project.password);
        return [200, { message: "Successfully updated password" }];
      }),
    ],
    ["GET", of("/api-keys/legacy"), inProject((project) => [200, { enabled: project.legacyKeys }])],
    [
      "PUT",
      of("/api-keys/legacy"),
      inProject((project, { query }) => {
        project.legacyKeys = query.get("enabled") === "true";
        return [200, { enabled: project.legacyKeys }];
      }),
    ],
    ["GET", of("/api-keys"), inProject((project) => [200, keys(project)])],
    [
      "GET",
      of("/billing/addons"),
      inProject((project) => [
        200,
        {
          available_addons: [],
          selected_addons:
            project.instanceSize === undefined
              ? []
              : [
                  {
                    type: "compute_instance",
                    variant: {
                      id: `ci_${project.instanceSize}`,
                      name: project.instanceSize,
                      price: { amount: 0, description: "", interval: "hourly", type: "usage" },
                    },
                  },
                ],
        },
      ]),
    ],
    [
      "PATCH",
      of("/billing/addons"),
      inProject((project, { json }) => {
        project.instanceSize = text(json.addon_variant).replace(/^ci_/, "");
        return [200];
      }),
    ],
    [
      "GET",
      of("/health"),
      inProject((_project, { query }) => [
        200,
        query
          .getAll("services")
          .flatMap((names) => names.split(","))
          .map((name) => ({ name, healthy: true, status: "ACTIVE_HEALTHY" })),
      ]),
    ],
    ...section("/postgrest", "PATCH", (project) => project.api),
    ...section("/config/database/postgres", "PUT", (project) => project.database),
    ...section("/config/auth", "PATCH", (project) => project.auth),
    ...section("/config/storage", "PATCH", (project) => project.storage),
    ["GET", of("/network-restrictions"), inProject((project) => [200, restrictions(project)])],
    [
      "POST",
      of("/network-restrictions/apply"),
      inProject((project, { json }) => {
        Object.assign(project.network, json);
        return [201, restrictions(project)];
      }),
    ],
    ["GET", of("/config/database/pooler"), inProject((project) => [200, [pooler(project, database?.host)]])],
    [
      "GET",
      of("/database/backups"),
      inProject((project) => [
        200,
        {
          region: project.region,
          walg_enabled: true,
          pitr_enabled: project.pointInTimeRecovery,
          backups: [],
          physical_backup_data:
            project.physicalBackups === undefined
              ? {}
              : {
                  earliest_physical_backup_date_unix: project.physicalBackups.earliest,
                  latest_physical_backup_date_unix: project.physicalBackups.latest,
                },
        },
      ]),
    ],
    [
      "POST",
      of("/database/backups/restore-pitr"),
      inProject((project, { json }) => {
        const at = json.recovery_time_target_unix;
        const { earliest = Infinity, latest = 0 } = project.physicalBackups ?? {};
        if (!project.pointInTimeRecovery) return [400, { message: "PITR is not enabled for this project" }];
        if (typeof at !== "number" || !Number.isInteger(at) || at < earliest || at > latest)
          return [400, { message: "recovery_time_target_unix is not available" }];
        project.restoredTo.push(at);
        // The first answers are from before the restore has begun.
        project.states.push("ACTIVE_HEALTHY", "RESTORING", "RESTORING");
        return [201];
      }),
    ],
    [
      "GET",
      of("/branches"),
      inProject((project) => {
        const branches = world.branchesOf(project.ref);
        // Branching is off until the first branch is made, and the API says so in its own way.
        return branches.length === 0
          ? [422, { message: "Preview branching is not enabled for this project." }]
          : [200, branches.map(describeBranch)];
      }),
    ],
    [
      "POST",
      of("/branches"),
      inProject((project, { json }) => {
        const git = typeof json.git_branch === "string" ? json.git_branch : undefined;
        const region = typeof json.region === "string" ? json.region : undefined;
        const [all, name] = [world.branchesOf(project.ref), text(json.branch_name)];
        if (!project.branching) return [402, { message: "Branching is not included in the organization's plan" }];
        if (all.some((branch) => (git !== undefined && branch.gitBranch === git) || branch.name === name))
          return [409, { message: "A branch of this name exists" }];
        if (json.is_default !== false) return [201, describeBranch(world.addBranch(project, name, git, region))];
        if (json.with_data === true && !project.pointInTimeRecovery)
          return [422, { message: "Data branching requires PITR" }];
        if (all.length === 0) return [422, { message: "Preview branching is not enabled for this project." }];
        const options = { persistent: json.persistent === true, withData: json.with_data === true, isDefault: false };
        const branch = world.addBranch(project, name, git, region, options);
        if (databases !== undefined) void setUp(branch, databases);
        return [201, describeBranch(branch)];
      }),
    ],
    [
      "GET",
      of("/actions"),
      inProject((project) => {
        const branch = [...world.branches.values()].find((each) => each.project === project);
        return [200, [{ id: "run", branch_id: branch?.id ?? "", run_steps: [{ name: "migrate", status: "EXITED" }] }]];
      }),
    ],
    [
      "GET",
      of("/actions/run/logs"),
      inProject((project) => [200, [...world.branches.values()].find((each) => each.project === project)?.log ?? ""]),
    ],
    ["GET", /^\/v1\/branches\/([0-9a-f-]+)$/, inBranch((branch) => [200, branchDatabase(branch)])],
    [
      "PATCH",
      /^\/v1\/branches\/([0-9a-f-]+)$/,
      inBranch((branch, { json }) => {
        if (typeof json.branch_name === "string") branch.name = json.branch_name;
        if (typeof json.git_branch === "string") branch.gitBranch = json.git_branch;
        if (json.persistent === false) branch.persistent = false;
        return [200, describeBranch(branch)];
      }),
    ],
    [
      "DELETE",
      /^\/v1\/branches\/([0-9a-f-]+)$/,
      inBranch(async (branch) => {
        if (branch.persistent) return [422, { message: "A persistent branch cannot be deleted" }];
        world.removeBranch(branch);
        await databases?.remove(branch);
        return [200, { message: "ok" }];
      }),
    ],
    [
      "POST",
      of("/functions/deploy"),
      inProject((project, call) => [201, deploy(project, call.query.get("slug") ?? "", call.body.toString("utf8"))]),
    ],
    [
      "GET",
      of("/functions/([\\w-]+)"),
      inProject((project, _call, slug = "") => {
        const found = project.functions.get(slug);
        return found === undefined ? missing : [200, describeFunction(found)];
      }),
    ],
    [
      "DELETE",
      of("/functions/([\\w-]+)"),
      inProject((project, _call, slug = "") => (project.functions.delete(slug) ? [200, {}] : missing)),
    ],
    [
      "GET",
      of("/secrets"),
      inProject((project) => [200, [...project.secrets].map(([name, value]) => ({ name, value }))]),
    ],
    [
      "POST",
      of("/secrets"),
      inProject((project, { json }) => {
        const list = json as unknown as { name: string; value: string }[];
        if (list.some(({ name }) => name.startsWith("SUPABASE_")))
          return [400, { message: "Secret names must not start with SUPABASE_" }];
        for (const { name, value } of list) project.secrets.set(name, sha256(value));
        return [201];
      }),
    ],
    [
      "DELETE",
      of("/secrets"),
      inProject((project, { json }) => {
        for (const name of json as unknown as string[]) project.secrets.delete(name);
        return [200];
      }),
    ],
  ];
}

/** Brings a branch up, as Supabase does after it has answered. */
async function setUp(branch: BranchState, databases: BranchDatabases): Promise<void> {
  branch.status = "CREATING_PROJECT";
  const failure = await databases.create(branch).catch((error: unknown) => String(error));
  branch.log = failure === undefined ? "Finished" : `Applying migrations...\n${failure}\n`;
  branch.status = failure === undefined ? "FUNCTIONS_DEPLOYED" : "MIGRATIONS_FAILED";
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

async function read(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
    server.closeAllConnections();
  });
}

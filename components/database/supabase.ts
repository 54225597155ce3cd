import * as pulumi from "@pulumi/pulumi";
import * as supabase from "@pulumi/supabase";
import { ExaiComponent } from "../core/component.ts";
import { transformed, type Transform } from "../core/transform.ts";
import { SERVER_ROLE } from "./paths.ts";
import { sections, type SupabaseSettings } from "./settings.ts";

/** A new project; Supabase bills it from its creation. */
export interface NewProject {
  /** Organization slug. */
  readonly organization: string;
  readonly name: string;
  readonly region: string;
  /** Compute size, e.g. `small`. */
  readonly instanceSize: string;
}

/** Where the database lives. */
export type SupabaseTarget =
  | { readonly kind: "new"; readonly project: NewProject; readonly password: pulumi.Input<string> }
  /** An existing project; its password is needed only for connections. */
  | { readonly kind: "existing"; readonly ref: string; readonly password: pulumi.Input<string> | undefined }
  /** A branch of a project, with its own database. */
  | { readonly kind: "branch"; readonly parentRef: string; readonly gitBranch: string; readonly region: string };

/** Edge function as the engine uploads it. Paths are relative to the project, so that they are the same everywhere. */
export interface EdgeFunctionSource {
  readonly slug: string;
  readonly entrypoint: string;
  readonly importMap?: string;
  /** Other files that it imports; globs. */
  readonly files?: readonly string[];
}

export interface SupabaseDatabaseArgs {
  readonly target: SupabaseTarget;
  readonly settings: SupabaseSettings;
  readonly functions: readonly EdgeFunctionSource[];
  /** Secrets that the functions read from their environment. */
  readonly functionSecrets: Readonly<Record<string, pulumi.Input<string> | undefined>>;
  /** Refuse to delete what holds data. */
  readonly protect: boolean;
  /**
   * Whether the project has Supabase's point-in-time recovery, which is switched on in its dashboard: declared for
   * policies and reviewers; it sets nothing. @default false
   */
  readonly pointInTimeRecovery?: boolean;
  /**
   * Connections of the pooler to the database, which the dashboard sets: the provider takes the pooler's settings and sends them nowhere.
   * Declared for `plan`, which compares them. @default by the compute size
   */
  readonly poolSize?: number | undefined;
  /** Escape hatches. */
  readonly transform?: {
    readonly project?: Transform<supabase.ProjectArgs>;
    readonly branch?: Transform<supabase.BranchArgs>;
    readonly settings?: Transform<supabase.SettingsArgs>;
    readonly edgeFunction?: Transform<supabase.EdgeFunctionArgs>;
  };
}

/** How to connect to the database, for backups and migrations. */
export interface DatabaseConnection {
  /** Of the session pooler: the database's own host has no IPv4 address. */
  readonly host: pulumi.Output<string>;
  readonly port: number;
  /** Of the pooler in transaction mode, for many short transactions. */
  readonly transactionPort: number;
  readonly user: pulumi.Output<string>;
  /** The server's own role, as the pooler names it. */
  readonly serverUser: pulumi.Output<string>;
  /** Undefined for an existing project whose password was not given. */
  readonly password: pulumi.Output<string> | undefined;
  readonly name: string;
}

/** Keys of the project's API, both kinds; a project may have disabled one kind. */
export interface ApiKeys {
  readonly anonKey?: string;
  readonly publishableKey?: string;
  readonly serviceRoleKey?: string;
  readonly secretKeys?: readonly { readonly apiKey: string }[];
}

/** A Supabase project or branch with its settings, edge functions and keys. */
export class SupabaseDatabase extends ExaiComponent {
  /** Reference of the project, or of the branch's own project. */
  readonly ref: pulumi.Output<string>;
  /** SUPABASE_URL. */
  readonly url: pulumi.Output<string>;
  readonly anonKey: pulumi.Output<string>;
  readonly serviceRoleKey: pulumi.Output<string>;
  readonly connection: DatabaseConnection;

  constructor(name: string, args: SupabaseDatabaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "exai:database:SupabaseDatabase",
      name,
      {
        target: args.target.kind,
        protect: args.protect,
        pointInTimeRecovery: args.pointInTimeRecovery ?? false,
        ...(args.poolSize === undefined ? {} : { poolSize: args.poolSize }),
      },
      opts,
    );
    const { transform } = args;
    const { ref, password } = this.database(name, args);
    this.ref = ref;
    this.url = ref.apply((value) => `https://${value}.supabase.co`);

    const settings = new supabase.Settings(
      ...transformed(
        transform?.settings,
        `${name}-settings`,
        { projectRef: ref, ...sections(args.settings) },
        { parent: this },
      ),
    );
    for (const source of args.functions)
      new supabase.EdgeFunction(
        ...transformed(
          transform?.edgeFunction,
          `${name}-${source.slug}`,
          {
            projectRef: ref,
            slug: source.slug,
            entrypoint: source.entrypoint,
            ...(source.importMap === undefined ? {} : { importMap: source.importMap }),
            ...(source.files === undefined ? {} : { staticFiles: [...source.files] }),
          },
          { parent: this, dependsOn: [settings] },
        ),
      );
    const secrets = Object.entries(args.functionSecrets).flatMap(([secret, value]) =>
      value === undefined ? [] : [{ name: secret, value: pulumi.secret(value) }],
    );
    if (secrets.length > 0)
      new supabase.EdgeFunctionSecrets(
        `${name}-function-secrets`,
        { projectRef: ref, secrets },
        { parent: this, dependsOn: [settings], additionalSecretOutputs: ["secrets"] },
      );

    // Read after the settings: a project answers for keys and pooler only after its services are up.
    const ready = { projectRef: settings.id };
    const pooler = supabase.getPoolerOutput(ready, { parent: this });
    this.connection = {
      host: pooler.apply(({ url }) => poolerHost(url)),
      port: SESSION_POOLER_PORT,
      transactionPort: TRANSACTION_POOLER_PORT,
      user: ref.apply((value) => `postgres.${value}`),
      serverUser: ref.apply((value) => `${SERVER_ROLE}.${value}`),
      password,
      name: "postgres",
    };
    const keys = pulumi.secret(supabase.getApikeysOutput(ready, { parent: this }));
    this.anonKey = keys.apply((all) => publicKey(all));
    this.serviceRoleKey = keys.apply((all) => serviceKey(all));
    this.registerOutputs({ ref: this.ref, url: this.url });
  }

  private database(
    name: string,
    args: SupabaseDatabaseArgs,
  ): { ref: pulumi.Output<string>; password: pulumi.Output<string> | undefined } {
    const { target, transform, protect } = args;
    switch (target.kind) {
      case "new": {
        const { project } = target;
        const password = pulumi.secret(target.password);
        const made = new supabase.Project(
          ...transformed(
            transform?.project,
            `${name}-project`,
            {
              organizationId: project.organization,
              name: project.name,
              region: project.region,
              instanceSize: project.instanceSize,
              databasePassword: password,
            },
            { parent: this, protect },
          ),
        );
        return { ref: made.id, password };
      }
      case "existing":
        return {
          ref: pulumi.output(target.ref),
          password: target.password === undefined ? undefined : pulumi.secret(target.password),
        };
      case "branch": {
        const { database } = new supabase.Branch(
          ...transformed(
            transform?.branch,
            `${name}-branch`,
            { parentProjectRef: target.parentRef, gitBranch: target.gitBranch, region: target.region },
            { parent: this, protect },
          ),
        );
        return {
          // The provider marks all of `database` secret; its reference is part of a public URL.
          ref: pulumi.unsecret(database.apply(({ id }) => id)),
          password: pulumi.secret(database.apply((branch) => branch.password)),
        };
      }
    }
  }
}

/** Port of the pooler in session mode, which has everything that a dump needs. */
const SESSION_POOLER_PORT = 5432;

/** Port of the pooler in transaction mode, in which a connection is shared between transactions. */
const TRANSACTION_POOLER_PORT = 6543;

/** Host of a project's pooler, by the connection strings of its modes. @throws Error if there is none */
export function poolerHost(urls: Readonly<Record<string, string>>): string {
  const url = urls.session ?? urls.transaction;
  const host = url === undefined ? undefined : /@([^:/@]+)(?::\d+)?\//.exec(url)?.[1];
  if (host === undefined) throw new Error("Supabase returned no connection pooler for the project");
  return host;
}

/** The key for browsers and the server's user-bound requests. @throws Error if the project has none */
export function publicKey(keys: ApiKeys): string {
  return present(keys.anonKey) ?? present(keys.publishableKey) ?? missing("anon or publishable");
}

/** The key that bypasses row-level security. @throws Error if the project has none */
export function serviceKey(keys: ApiKeys): string {
  return present(keys.serviceRoleKey) ?? present(keys.secretKeys?.[0]?.apiKey) ?? missing("service_role or secret");
}

function present(key: string | undefined): string | undefined {
  return key === "" ? undefined : key;
}

function missing(kind: string): never {
  throw new Error(`the Supabase project has no ${kind} key: enable one under Project Settings, API Keys`);
}

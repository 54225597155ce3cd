import * as pulumi from "@pulumi/pulumi";
import * as supabase from "@pulumi/supabase";
import { ExaiComponent } from "../core/component.ts";
import { transformed, type Transform } from "../core/transform.ts";

/** A new project; Supabase bills it from the moment it is made. */
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
  /** A project that somebody made before; its password is needed for connections alone. */
  | { readonly kind: "existing"; readonly ref: string; readonly password: pulumi.Input<string> | undefined }
  /** A branch of a project, with a database of its own. */
  | { readonly kind: "branch"; readonly parentRef: string; readonly gitBranch: string; readonly region: string };

/** Edge function as the engine uploads it. Paths are relative to the project, so that they are the same everywhere. */
export interface EdgeFunctionSource {
  readonly slug: string;
  readonly entrypoint: string;
  readonly importMap?: string;
  /** Further files that it imports; globs. */
  readonly files?: readonly string[];
}

export interface SupabaseDatabaseArgs {
  readonly target: SupabaseTarget;
  /** Schemas that the REST API shows. */
  readonly apiSchemas: readonly string[];
  /** Most rows of one REST answer. */
  readonly maxRows: number;
  /** Longest statement, in Postgres' units, e.g. `30s`. */
  readonly statementTimeout: string;
  /** Origin of the browsers that sign in. */
  readonly siteUrl: string;
  /** Address ranges that may open database connections; all where absent. */
  readonly allowedCidrs?: readonly string[] | undefined;
  readonly functions: readonly EdgeFunctionSource[];
  /** Secrets that the functions read from their environment. */
  readonly functionSecrets: Readonly<Record<string, pulumi.Input<string> | undefined>>;
  /** Refuse to delete what holds data. */
  readonly protect: boolean;
  /** Escape hatches. */
  readonly transform?: {
    readonly project?: Transform<supabase.ProjectArgs>;
    readonly branch?: Transform<supabase.BranchArgs>;
    readonly settings?: Transform<supabase.SettingsArgs>;
    readonly edgeFunction?: Transform<supabase.EdgeFunctionArgs>;
  };
}

/** How to connect to the database itself; undefined parts are not known to the stack. */
export interface DatabaseConnection {
  readonly host: pulumi.Output<string>;
  readonly port: pulumi.Output<number>;
  readonly user: pulumi.Output<string>;
  readonly password: pulumi.Output<string> | undefined;
  readonly name: string;
}

/** Keys of the project's API, both kinds; a project may have switched one kind off. */
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
    super("exai:database:SupabaseDatabase", name, { target: args.target.kind, protect: args.protect }, opts);
    const { transform } = args;
    const { ref, connection } = this.database(name, args);
    this.ref = ref;
    this.connection = connection;
    this.url = ref.apply((value) => `https://${value}.supabase.co`);

    const settings = new supabase.Settings(
      ...transformed(transform?.settings, `${name}-settings`, { projectRef: ref, ...sections(args) }, { parent: this }),
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

    // Read once the settings stand: a project answers for its keys only after its services are up.
    const keys = pulumi.secret(supabase.getApikeysOutput({ projectRef: settings.id }, { parent: this }));
    this.anonKey = keys.apply((all) => publicKey(all));
    this.serviceRoleKey = keys.apply((all) => serviceKey(all));
    this.registerOutputs({ ref: this.ref, url: this.url });
  }

  private database(
    name: string,
    args: SupabaseDatabaseArgs,
  ): { ref: pulumi.Output<string>; connection: DatabaseConnection } {
    const { target, transform, protect } = args;
    switch (target.kind) {
      case "new": {
        const { project } = target;
        const made = new supabase.Project(
          ...transformed(
            transform?.project,
            `${name}-project`,
            {
              organizationId: project.organization,
              name: project.name,
              region: project.region,
              instanceSize: project.instanceSize,
              databasePassword: pulumi.secret(target.password),
            },
            { parent: this, protect },
          ),
        );
        return { ref: made.id, connection: direct(made.id, target.password) };
      }
      case "existing": {
        const ref = pulumi.output(target.ref);
        return { ref, connection: direct(ref, target.password) };
      }
      case "branch": {
        const made = new supabase.Branch(
          ...transformed(
            transform?.branch,
            `${name}-branch`,
            { parentProjectRef: target.parentRef, gitBranch: target.gitBranch, region: target.region },
            { parent: this, protect },
          ),
        );
        const { database } = made;
        return {
          ref: database.apply((value) => value.id),
          connection: {
            host: database.apply((value) => value.host),
            port: database.apply((value) => value.port),
            user: database.apply((value) => value.user),
            password: pulumi.secret(database.apply((value) => value.password)),
            name: "postgres",
          },
        };
      }
    }
  }
}

/** A project's own database server. */
function direct(ref: pulumi.Output<string>, password: pulumi.Input<string> | undefined): DatabaseConnection {
  return {
    host: ref.apply((value) => `db.${value}.supabase.co`),
    port: pulumi.output(5432),
    user: pulumi.output("postgres"),
    password: password === undefined ? undefined : pulumi.secret(password),
    name: "postgres",
  };
}

/**
 * The sections of the project's settings, each a JSON string as the Management API names its fields. What is not named
 * stays as the project has it.
 */
export function sections(
  args: Pick<SupabaseDatabaseArgs, "apiSchemas" | "maxRows" | "statementTimeout" | "siteUrl" | "allowedCidrs">,
): Record<"api" | "database" | "auth", string> & { network?: string } {
  return {
    api: JSON.stringify({
      db_schema: args.apiSchemas.join(","),
      db_extra_search_path: "public,extensions",
      max_rows: args.maxRows,
    }),
    database: JSON.stringify({ statement_timeout: args.statementTimeout }),
    auth: JSON.stringify({ site_url: args.siteUrl }),
    ...(args.allowedCidrs === undefined ? {} : { network: JSON.stringify({ restrictions: args.allowedCidrs }) }),
  };
}

/** The key for browsers and the server's user-bound requests. @throws Error where the project has none */
export function publicKey(keys: ApiKeys): string {
  return present(keys.anonKey) ?? present(keys.publishableKey) ?? missing("anon or publishable");
}

/** The key that passes row-level security. @throws Error where the project has none */
export function serviceKey(keys: ApiKeys): string {
  return present(keys.serviceRoleKey) ?? present(keys.secretKeys?.[0]?.apiKey) ?? missing("service_role or secret");
}

function present(key: string | undefined): string | undefined {
  return key === "" ? undefined : key;
}

function missing(kind: string): never {
  throw new Error(`the Supabase project has no ${kind} key: enable one under Project Settings, API Keys`);
}

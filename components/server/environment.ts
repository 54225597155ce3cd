import type * as pulumi from "@pulumi/pulumi";
import { JWT_KEY_VARIABLES, SECRET_FILE_SUFFIX, SECRETS_DIRECTORY } from "../../contract/server.ts";
import type { Slot } from "../../contract/slots.ts";
import type { JwtKeySet } from "../../contract/jwt.ts";

/** The settings of the server. Times are in seconds. */
export interface ServerEnvironment {
  readonly wsHost: string;
  readonly wsPort: number;
  readonly productionUrl: string | undefined;
  readonly browserSecurity: boolean;
  readonly monitoringEnabled: boolean;
  readonly logLevel: string;
  readonly simpleToolTimeout: number;
  readonly workflowToolTimeout: number;
  readonly expertAnalysisTimeout: number;
  readonly kimiTimeout: number;
  readonly glmTimeout: number;
  readonly kimiUrl: string;
  readonly glmUrl: string;
  readonly graceSeconds: number;
  /** Most connections of a process; the server's own default if absent. */
  readonly databaseConnections?: number | undefined;
  /** Not set if there is no Supabase API, as on `local`. */
  readonly supabaseUrl?: pulumi.Input<string> | undefined;
}

/** The server's secrets in one slot; absent ones are not mounted. */
export interface ServerSecrets {
  readonly jwtSecret: pulumi.Input<string>;
  readonly jwtSecretPrevious?: pulumi.Input<string> | undefined;
  readonly jwtSecretNext?: pulumi.Input<string> | undefined;
  readonly kimiApiKey?: pulumi.Input<string> | undefined;
  readonly glmApiKey?: pulumi.Input<string> | undefined;
  readonly supabaseAnonKey?: pulumi.Input<string> | undefined;
  readonly supabaseServiceRoleKey?: pulumi.Input<string> | undefined;
  /** URL of the server's own login to the database. */
  readonly databaseUrl?: pulumi.Input<string> | undefined;
  /** CA certificates that verify the database; not secret, but a file as well. */
  readonly databaseCa?: pulumi.Input<string> | undefined;
}

/** The secrets of each slot: they differ while a key is rotated. */
export type SlotSecrets = Readonly<Record<Slot, ServerSecrets>>;

/** The keys for tokens that a stack has. */
export interface JwtKeys {
  readonly current: pulumi.Input<string>;
  /** Replaces `current`; absent when no rotation is in progress. */
  readonly next?: pulumi.Input<string> | undefined;
  /** Accepted in addition to `current`, when no rotation is in progress. */
  readonly previous?: pulumi.Input<string> | undefined;
}

/** The keys of one slot. @throws Error if the set needs a key that is not set */
export function jwtSecrets(
  set: JwtKeySet,
  { current, next, previous }: JwtKeys,
): Pick<ServerSecrets, "jwtSecret" | "jwtSecretPrevious" | "jwtSecretNext"> {
  if (set === "current") return { jwtSecret: current, jwtSecretPrevious: previous };
  if (next === undefined) throw new Error(`the keys ${set} of a slot need a next key, which is not set`);
  if (set === "current+next") return { jwtSecret: current, jwtSecretPrevious: previous, jwtSecretNext: next };
  return { jwtSecret: next, jwtSecretPrevious: set === "next" ? undefined : current };
}

/** Variable and file name of each secret. */
const SECRET_NAMES = {
  jwtSecret: { variable: JWT_KEY_VARIABLES.signing, file: "jwt-token" },
  jwtSecretPrevious: { variable: JWT_KEY_VARIABLES.previous, file: "jwt-token-previous" },
  jwtSecretNext: { variable: JWT_KEY_VARIABLES.next, file: "jwt-token-next" },
  kimiApiKey: { variable: "KIMI_API_KEY", file: "kimi-api-key" },
  glmApiKey: { variable: "GLM_API_KEY", file: "glm-api-key" },
  supabaseAnonKey: { variable: "SUPABASE_ANON_KEY", file: "supabase-anon-key" },
  supabaseServiceRoleKey: { variable: "SUPABASE_SERVICE_ROLE_KEY", file: "supabase-service-role-key" },
  databaseUrl: { variable: "EXAI_SERVER_DATABASE_URL", file: "database-url" },
  databaseCa: { variable: "EXAI_DATABASE_CA", file: "database-ca.pem" },
} as const satisfies Record<keyof ServerSecrets, { variable: string; file: string }>;

/** A secret as the server gets it: a file, named by the variable `<variable>_FILE`. */
export interface SecretFile {
  /** Name of the variable that would carry the value itself, e.g. `KIMI_API_KEY`. */
  readonly variable: string;
  /** File name under {@link SECRETS_DIRECTORY}. */
  readonly file: string;
  readonly content: pulumi.Input<string>;
}

/** The files of the given secrets. */
export function secretFiles(secrets: ServerSecrets): readonly SecretFile[] {
  return Object.entries(SECRET_NAMES).flatMap(([key, names]) => {
    const content = secrets[key as keyof ServerSecrets];
    return content === undefined ? [] : [{ ...names, content }];
  });
}

/** The server's plain environment, secrets by file name; the slot and release are for its logs and metrics only. */
export function plainEnvironment(
  environment: ServerEnvironment,
  secrets: readonly SecretFile[],
  slot: Slot,
): Readonly<Record<string, pulumi.Input<string>>> {
  return {
    EXAI_SLOT: slot,
    EXAI_WS_HOST: environment.wsHost,
    EXAI_WS_PORT: String(environment.wsPort),
    ...(environment.productionUrl === undefined ? {} : { EXAI_PRODUCTION_URL: environment.productionUrl }),
    BROWSER_SECURITY_ENABLED: String(environment.browserSecurity),
    MONITORING_ENABLED: String(environment.monitoringEnabled),
    LOG_LEVEL: environment.logLevel,
    SIMPLE_TOOL_TIMEOUT_SECS: String(environment.simpleToolTimeout),
    WORKFLOW_TOOL_TIMEOUT_SECS: String(environment.workflowToolTimeout),
    EXPERT_ANALYSIS_TIMEOUT_SECS: String(environment.expertAnalysisTimeout),
    KIMI_TIMEOUT_SECS: String(environment.kimiTimeout),
    GLM_TIMEOUT_SECS: String(environment.glmTimeout),
    KIMI_API_URL: environment.kimiUrl,
    GLM_API_URL: environment.glmUrl,
    EXAI_GRACE_SECONDS: String(environment.graceSeconds),
    ...(environment.databaseConnections === undefined
      ? {}
      : { EXAI_DATABASE_CONNECTIONS: String(environment.databaseConnections) }),
    ...(environment.supabaseUrl === undefined ? {} : { SUPABASE_URL: environment.supabaseUrl }),
    ...Object.fromEntries(
      secrets.map((secret) => [`${secret.variable}${SECRET_FILE_SUFFIX}`, `${SECRETS_DIRECTORY}/${secret.file}`]),
    ),
  };
}

import * as pulumi from "@pulumi/pulumi";
import {
  jwtSecrets,
  secretFiles,
  plainEnvironment,
  type ServerEnvironment,
  type ServerSecrets,
  type SlotSecrets,
} from "../components/server/environment.ts";
import { OBJECT_STORE } from "../contract/storage/object-store.ts";
import { accessKeys, accessKeyText } from "../contract/envoy/access.ts";
import type { Settings } from "./settings.ts";
import { SETTINGS, type SettingKey } from "./settings/table.ts";

/** The server's environment from the settings; the same on every platform. */
export function serverEnvironment(settings: Settings, supabaseUrl?: pulumi.Input<string>): ServerEnvironment {
  return {
    wsHost: settings.wsHost,
    wsPort: settings.wsPort,
    productionUrl: settings.productionUrl,
    browserSecurity: settings.browserSecurity,
    monitoringEnabled: settings.monitoringEnabled,
    logLevel: settings.logLevel,
    simpleToolTimeout: settings.simpleToolTimeout,
    workflowToolTimeout: settings.workflowToolTimeout,
    expertAnalysisTimeout: settings.expertAnalysisTimeout,
    kimiTimeout: settings.kimiTimeout,
    glmTimeout: settings.glmTimeout,
    kimiUrl: settings.kimiUrl,
    glmUrl: settings.glmUrl,
    graceSeconds: settings.graceSeconds,
    // One slot may use the whole pool while the other is idle.
    databaseConnections: settings.environment === "local" ? settings.databasePoolSize : undefined,
    supabaseUrl,
  };
}

/**
 * The secrets of both slots as the settings have them. `generated` is the key for tokens where none is set, `others` what
 * comes from elsewhere.
 */
export function slotSecrets(
  settings: Settings,
  generated: pulumi.Input<string>,
  others: Pick<ServerSecrets, "supabaseAnonKey" | "supabaseServiceRoleKey" | "databaseUrl" | "databaseCa"> = {},
): SlotSecrets {
  const keys = {
    current: settings.jwtSecret ?? generated,
    next: settings.jwtSecretNext,
    previous: settings.jwtSecretPrevious,
  };
  const { kimiApiKey, glmApiKey } = settings;
  const slot = (set: Settings["blueJwtKeys"]) => ({ ...jwtSecrets(set, keys), kimiApiKey, glmApiKey, ...others });
  return { blue: slot(settings.blueJwtKeys), green: slot(settings.greenJwtKeys) };
}

/** The private key for access to the slots, from the stack's generated secret. */
export function accessPrivateKeyOf(
  { accessGeneration }: Settings,
  generated: pulumi.Output<string>,
): pulumi.Output<string> {
  return generated.apply((secret) => accessKeyText(secret, accessGeneration));
}

/** The public keys of the router, from the same secret. They are not secret. */
export function accessKeysOf({ accessGeneration }: Settings, generated: pulumi.Output<string>): pulumi.Output<string> {
  return pulumi.unsecret(generated.apply((secret) => accessKeys(secret, accessGeneration)));
}

/** One variable of the server's environment, for people. */
export interface ServerVariable {
  readonly name: string;
  /** Setting it comes from, without `exai:`; or what supplies it. */
  readonly key: string;
  readonly about: string;
  readonly secret: boolean;
  /** Whether a secret is supplied, here or by the deployment. */
  readonly set: boolean;
  /** Whether the stack generates a secret that is not supplied. */
  readonly generated: boolean;
  /** Value of what is not secret; undefined if it is not set or not known before the deployment. */
  readonly value: string | undefined;
}

/** Variables by the setting they come from. Those without one come from the Supabase project. */
const KEYS: Readonly<Record<string, SettingKey>> = {
  EXAI_WS_HOST: "wsHost",
  EXAI_WS_PORT: "wsPort",
  EXAI_JWT_TOKEN: "jwtSecret",
  EXAI_JWT_TOKEN_PREVIOUS: "jwtSecretPrevious",
  EXAI_JWT_TOKEN_NEXT: "jwtSecretNext",
  BROWSER_SECURITY_ENABLED: "browserSecurity",
  EXAI_PRODUCTION_URL: "productionUrl",
  KIMI_API_KEY: "kimiApiKey",
  GLM_API_KEY: "glmApiKey",
  KIMI_API_URL: "kimiUrl",
  GLM_API_URL: "glmUrl",
  MONITORING_ENABLED: "monitoringEnabled",
  LOG_LEVEL: "logLevel",
  SIMPLE_TOOL_TIMEOUT_SECS: "simpleToolTimeout",
  WORKFLOW_TOOL_TIMEOUT_SECS: "workflowToolTimeout",
  EXPERT_ANALYSIS_TIMEOUT_SECS: "expertAnalysisTimeout",
  KIMI_TIMEOUT_SECS: "kimiTimeout",
  GLM_TIMEOUT_SECS: "glmTimeout",
  EXAI_GRACE_SECONDS: "graceSeconds",
  EXAI_DATABASE_CONNECTIONS: "databasePoolSize",
};

/** Variables that the stack itself makes. */
const ABOUT: Readonly<Record<string, string>> = {
  EXAI_SERVER_DATABASE_URL: "the server's own login to the database, with a generated password",
};

/** Those of a Supabase project, which the object store of `local` gives as well. */
const OF_THE_STORE: Readonly<Record<string, string>> = {
  SUPABASE_URL: "address of the stack's object store",
  SUPABASE_ANON_KEY: "key of the object store without rights",
  SUPABASE_SERVICE_ROLE_KEY: "the server's key of the object store, signed with a generated secret",
};

/** The whole effective environment of the server on a stack, by name. */
export function serverVariables(settings: Settings): readonly ServerVariable[] {
  const local = settings.environment === "local";
  const known = pulumi.output("");
  const given: ServerSecrets = {
    jwtSecret: settings.jwtSecret ?? "",
    jwtSecretPrevious: settings.jwtSecretPrevious,
    jwtSecretNext: settings.jwtSecretNext,
    kimiApiKey: settings.kimiApiKey,
    glmApiKey: settings.glmApiKey,
    supabaseAnonKey: known,
    supabaseServiceRoleKey: known,
    databaseUrl: known,
  };
  const supplied = new Map(secretFiles(given).map((secret) => [secret.variable, secret]));
  const every = secretFiles({
    ...given,
    jwtSecretPrevious: "",
    jwtSecretNext: "",
    kimiApiKey: "",
    glmApiKey: "",
  });
  const plain = plainEnvironment(serverEnvironment(settings, local ? OBJECT_STORE.url : known), [], "blue");
  const about = (name: string) =>
    (local ? OF_THE_STORE[name] : undefined) ?? ABOUT[name] ?? `${name}: from the Supabase project`;
  const variable = (name: string, rest: Omit<ServerVariable, "name" | "key" | "about">): ServerVariable => {
    const key = KEYS[name];
    return {
      name,
      key: key ?? "supabaseProjectRef",
      about: key === undefined ? about(name) : SETTINGS[key].about,
      ...rest,
    };
  };
  const names = Object.keys(plain).filter((name) => name !== "EXAI_SLOT");
  return [
    ...names.map((name) => {
      const value = plain[name];
      return variable(name, {
        secret: false,
        set: value !== undefined,
        generated: false,
        value: typeof value === "string" ? value : undefined,
      });
    }),
    ...every.map(({ variable: name }) =>
      variable(name, {
        secret: true,
        set: supplied.has(name),
        generated:
          (name === "EXAI_JWT_TOKEN" && settings.jwtSecret === undefined) ||
          name in ABOUT ||
          (local && name in OF_THE_STORE),
        value: undefined,
      }),
    ),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

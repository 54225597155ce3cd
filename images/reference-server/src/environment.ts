import { UserError, UserErrors } from "../../../contract/errors.ts";
import { DEFAULT_GRACE_SECONDS, DEFAULT_WS_PORT, HTTP_PORT, JWT_KEY_VARIABLES } from "../../../contract/server.ts";
import { parseFaults, type Faults } from "./faults.ts";
import { readUrl, UrlProblem, type DatabaseSettings } from "./database/settings.ts";
import { KEY_ROLES, type JwtKey } from "./jwt.ts";
import type { StoreSettings } from "./uploads/store.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";
import { readVariable } from "./secrets.ts";

/** LLM providers that the `chat` tool can ask. */
export const PROVIDERS = ["kimi", "glm"] as const;

/** One of {@link PROVIDERS}. */
export type Provider = (typeof PROVIDERS)[number];

/** How a provider is reached. */
export interface ProviderSettings {
  /** Base of an OpenAI-compatible API: `<url>/chat/completions` is called. */
  readonly url: string;
  readonly model: string;
  readonly timeoutSeconds: number;
  /** Absent: the provider is not available. */
  readonly apiKey?: string;
}

/** The server's whole environment, validated. */
export interface Environment {
  readonly httpHost: string;
  readonly httpPort: number;
  readonly wsHost: string;
  readonly wsPort: number;
  /** Keys that a token may be signed with, the signing one first. Empty: WebSockets need no token. */
  readonly jwtKeys: readonly JwtKey[];
  readonly browserSecurity: boolean;
  /** Origin of EXAI_PRODUCTION_URL, e.g. `https://exai.example`. */
  readonly productionOrigin?: string;
  readonly providers: Readonly<Record<Provider, ProviderSettings>>;
  /** The project's Storage API; absent without URL and both keys of Supabase. */
  readonly store?: StoreSettings;
  readonly uploads: {
    /** Requests that send bytes at the same time. */
    readonly atOnce: number;
    /** Tries of a request to the object store, or of a file to a provider. */
    readonly attempts: number;
  };
  /** Absent: nothing is stored. */
  readonly database?: DatabaseSettings;
  readonly timeouts: {
    readonly simpleToolSeconds: number;
    readonly workflowToolSeconds: number;
    readonly expertAnalysisSeconds: number;
  };
  readonly monitoring: boolean;
  readonly logLevel: LogLevel;
  /** Time from SIGTERM to the exit, at most. */
  readonly graceSeconds: number;
  /** Time from SIGTERM in which `/ready` is 503 already, but new requests are still served. */
  readonly lameDuckSeconds: number;
  /** Time between two pings of a WebSocket. */
  readonly pingSeconds: number;
  /** Time after which the API key of an open stream or WebSocket is looked up again. */
  readonly keyCheckSeconds: number;
  readonly release: string;
  readonly slot?: string;
  readonly faults: Faults;
}

/** Shortest JWT key: as long as the digest of HS256 (RFC 7518, section 3.2). */
const JWT_KEY_MIN_BYTES = 32;

/** Longest time-out that is accepted, in seconds. */
const TIMEOUT_MAX_SECONDS = 3600;

/** Longest grace that is accepted, in seconds. */
const GRACE_MAX_SECONDS = 3600;

class Reader {
  readonly errors: UserError[] = [];
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  fail(name: string, problem: string, fix: string): void {
    this.errors.push(new UserError("failed", name, problem, fix));
  }

  /** Runs a part that throws a `UserError`, and collects the error. */
  attempt<T>(part: () => T, otherwise: T): T {
    try {
      return part();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.errors.push(error);
      return otherwise;
    }
  }

  text(name: string): string | undefined {
    return this.attempt(() => readVariable(this.#env, name), undefined);
  }

  number(name: string, fallback: number, low: number, high: number, unit: string): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
    if (value >= low && value <= high) return value;
    this.fail(name, `'${text}' is not a number from ${low} to ${high}`, `set ${name} to ${unit}, e.g. ${fallback}`);
    return fallback;
  }

  port(name: string, fallback: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= 1 && value <= 65_535) return value;
    this.fail(name, `'${text}' is not a port (1 to 65535)`, `set ${name} to a free port, e.g. ${fallback}`);
    return fallback;
  }

  host(name: string, fallback: string): string {
    const text = this.text(name);
    if (text === undefined) return fallback;
    if (/^[A-Za-z0-9.:_-]+$/.test(text)) return text;
    this.fail(name, `'${text}' is not a host name or address`, `set ${name} to an address, e.g. ${fallback}`);
    return fallback;
  }

  boolean(name: string, fallback: boolean): boolean {
    const text = this.text(name)?.toLowerCase();
    if (text === undefined) return fallback;
    if (text === "true" || text === "1") return true;
    if (text === "false" || text === "0") return false;
    this.fail(name, `'${text}' is neither true nor false`, `set ${name} to true or false`);
    return fallback;
  }

  url(name: string): URL | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url && (url.protocol === "http:" || url.protocol === "https:") && url.username === "") return url;
    this.fail(name, "is not an http(s) URL without credentials", `set ${name} to a URL, e.g. https://exai.example`);
    return undefined;
  }

  /** A key sent as an HTTP header: visible ASCII without blanks. The message never shows the value. */
  key(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined || /^[\x21-\x7e]+$/.test(text)) return text;
    this.fail(name, "holds blanks or characters outside ASCII", `set ${name} to the key as the provider shows it`);
    return undefined;
  }

  jwtKey(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined || Buffer.byteLength(text) >= JWT_KEY_MIN_BYTES) return text;
    this.fail(
      name,
      `is ${Buffer.byteLength(text)} bytes long, but HS256 needs at least ${JWT_KEY_MIN_BYTES}`,
      `set ${name} to a random value: openssl rand -base64 48`,
    );
    return undefined;
  }

  logLevel(name: string): LogLevel {
    const text = this.text(name)?.toLowerCase();
    if (text === undefined) return "info";
    const level = LOG_LEVELS.find((known) => known === text);
    if (level) return level;
    this.fail(name, `'${text}' is not a level`, `set ${name} to one of: ${LOG_LEVELS.join(", ")}`);
    return "info";
  }
}

function readProvider(reader: Reader, prefix: "KIMI" | "GLM", url: string, model: string): ProviderSettings {
  const apiKey = reader.key(`${prefix}_API_KEY`);
  return {
    url: (reader.url(`${prefix}_API_URL`)?.href ?? url).replace(/\/$/, ""),
    model: reader.text(`${prefix}_MODEL`) ?? model,
    timeoutSeconds: reader.number(`${prefix}_TIMEOUT_SECS`, 120, 1, TIMEOUT_MAX_SECONDS, "seconds"),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

function readSupabase(reader: Reader): StoreSettings | undefined {
  const given = {
    SUPABASE_URL: reader.url("SUPABASE_URL")?.href,
    SUPABASE_ANON_KEY: reader.key("SUPABASE_ANON_KEY"),
    SUPABASE_SERVICE_ROLE_KEY: reader.key("SUPABASE_SERVICE_ROLE_KEY"),
  };
  // Keys without a URL, or a URL without keys, are an incomplete deployment.
  const missing = Object.entries(given).filter(([, value]) => value === undefined);
  const refused = reader.errors.some((error) => error.where.startsWith("SUPABASE_"));
  if (missing.length > 0 && missing.length < 3 && !refused)
    for (const [name] of missing)
      reader.fail(name, "is missing, while other SUPABASE_ variables are given", `set ${name}, or unset all three`);
  const { SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: key } = given;
  return url === undefined || key === undefined || missing.length > 0
    ? undefined
    : { url: url.replace(/\/$/, ""), key };
}

function readDatabase(reader: Reader): DatabaseSettings | undefined {
  const name = "EXAI_SERVER_DATABASE_URL";
  const url = reader.text(name);
  const certificates = reader.text("EXAI_DATABASE_CA");
  const connections = reader.number("EXAI_DATABASE_CONNECTIONS", 10, 1, 1000, "connections");
  const queue = reader.number("EXAI_DATABASE_QUEUE", 1000, 0, 100_000, "requests");
  const recordingSocket = reader.text("EXAI_RECORDING_SOCKET");
  if (url === undefined) return undefined;
  try {
    const recorded = recordingSocket === undefined ? {} : { recordingSocket };
    return { connection: readUrl(url, certificates), connections, queue, ...recorded };
  } catch (error) {
    if (!(error instanceof UrlProblem)) throw error;
    const fix = `set ${name} to postgres://exai_server:<password>@<host>:<port>/<database>?sslmode=verify-full`;
    reader.fail(name, error.message, fix);
    return undefined;
  }
}

/**
 * Reads and validates the server's environment. Each variable may also come from the file that `<NAME>_FILE` names.
 *
 * Throws `UserErrors` with every problem found: the variable, what is wrong and how to fix it.
 */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const reader = new Reader(env);
  const httpPort = reader.port("EXAI_HTTP_PORT", HTTP_PORT);
  const wsPort = reader.port("EXAI_WS_PORT", DEFAULT_WS_PORT);
  if (httpPort === wsPort)
    reader.fail(
      "EXAI_WS_PORT",
      `${wsPort} is the HTTP port too`,
      `set EXAI_WS_PORT to another port, e.g. ${wsPort - 1}`,
    );

  const jwtKeys = KEY_ROLES.flatMap((role): readonly JwtKey[] => {
    const name = JWT_KEY_VARIABLES[role];
    const secret = reader.jwtKey(name);
    if (secret === undefined) return [];
    if (role !== "signing" && reader.text(JWT_KEY_VARIABLES.signing) === undefined)
      reader.fail(
        name,
        `is given without ${JWT_KEY_VARIABLES.signing}`,
        `set ${JWT_KEY_VARIABLES.signing} to the signing key`,
      );
    return [{ role, secret }];
  });

  const browserSecurity = reader.boolean("BROWSER_SECURITY_ENABLED", false);
  const production = reader.url("EXAI_PRODUCTION_URL");
  const productionRefused = reader.errors.some((error) => error.where === "EXAI_PRODUCTION_URL");
  if (browserSecurity && !production && !productionRefused)
    reader.fail(
      "EXAI_PRODUCTION_URL",
      "is missing, but BROWSER_SECURITY_ENABLED checks the origin of browsers against it",
      "set EXAI_PRODUCTION_URL to the address that users open, e.g. https://exai.example",
    );

  const graceSeconds = reader.number("EXAI_GRACE_SECONDS", DEFAULT_GRACE_SECONDS, 0, GRACE_MAX_SECONDS, "seconds");
  // Readiness is probed about every second; two seconds let the router notice before connections close.
  const lameDuckSeconds = reader.number(
    "EXAI_LAME_DUCK_SECONDS",
    Math.min(2, graceSeconds / 4),
    0,
    GRACE_MAX_SECONDS,
    "seconds",
  );
  if (lameDuckSeconds > graceSeconds)
    reader.fail(
      "EXAI_LAME_DUCK_SECONDS",
      `${lameDuckSeconds} is longer than EXAI_GRACE_SECONDS (${graceSeconds})`,
      "set it below EXAI_GRACE_SECONDS",
    );

  const timeout = (name: string, fallback: number) => reader.number(name, fallback, 1, TIMEOUT_MAX_SECONDS, "seconds");
  const slot = reader.text("EXAI_SLOT");
  const database = readDatabase(reader);
  const store = readSupabase(reader);
  const environment: Environment = {
    httpHost: reader.host("EXAI_HTTP_HOST", "0.0.0.0"),
    httpPort,
    wsHost: reader.host("EXAI_WS_HOST", "0.0.0.0"),
    wsPort,
    jwtKeys,
    browserSecurity,
    ...(production ? { productionOrigin: production.origin } : {}),
    providers: {
      kimi: readProvider(reader, "KIMI", "https://api.moonshot.ai/v1", "kimi-latest"),
      glm: readProvider(reader, "GLM", "https://api.z.ai/api/paas/v4", "glm-4.6"),
    },
    ...(store === undefined ? {} : { store }),
    uploads: {
      atOnce: reader.number("EXAI_UPLOADS_AT_ONCE", 10, 1, 1000, "requests"),
      attempts: reader.number("EXAI_UPLOAD_ATTEMPTS", 6, 1, 20, "tries"),
    },
    ...(database === undefined ? {} : { database }),
    timeouts: {
      simpleToolSeconds: timeout("SIMPLE_TOOL_TIMEOUT_SECS", 60),
      workflowToolSeconds: timeout("WORKFLOW_TOOL_TIMEOUT_SECS", 300),
      expertAnalysisSeconds: timeout("EXPERT_ANALYSIS_TIMEOUT_SECS", 180),
    },
    monitoring: reader.boolean("MONITORING_ENABLED", true),
    logLevel: reader.logLevel("LOG_LEVEL"),
    graceSeconds,
    lameDuckSeconds,
    pingSeconds: reader.number("EXAI_WS_PING_SECONDS", 5, 0.1, 3600, "seconds"),
    keyCheckSeconds: reader.number("EXAI_KEY_CHECK_SECONDS", 60, 1, 3600, "seconds"),
    release: reader.text("RELEASE") ?? "unreleased",
    ...(slot === undefined ? {} : { slot }),
    faults: reader.attempt(() => parseFaults(reader.text("EXAI_FAULTS") ?? ""), {}),
  };
  if (database !== undefined && jwtKeys.length === 0)
    reader.fail(
      "EXAI_SERVER_DATABASE_URL",
      "is given without a key for tokens, so that no request can have a user",
      `set ${JWT_KEY_VARIABLES.signing}`,
    );
  if (/[^\x21-\x7e]/.test(environment.release))
    reader.fail("RELEASE", "cannot be sent as a header", "set RELEASE to visible ASCII characters without blanks");
  if (reader.errors.length > 0) throw new UserErrors(reader.errors);
  return environment;
}

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { UserError } from "../../contract/errors.ts";
import { pulumiHome } from "./cli.ts";

/** Environment variables that say where the engine keeps its state. */
export type EngineEnvironment = Readonly<Record<string, string>>;

export interface BackendRequest {
  /** Root of the project. */
  readonly root: string;
  readonly stack: string;
  /** Folder of a backend that is made if none is configured; absent for stacks that a team shares. */
  readonly fallback?: string;
  /** @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * The engine's environment for its backend: empty if a backend is configured, else the URL of the fallback and, if no
 * passphrase is set, a generated one in a file of mode 0600 in it.
 *
 * @throws UserError if no backend is configured and the stack has no fallback
 */
export function backendEnvironment(request: BackendRequest): EngineEnvironment {
  const env = request.env ?? process.env;
  if (configuredBackend(request.root, env) !== undefined) return {};
  if (request.fallback === undefined)
    throw new UserError(
      "not-found",
      `stack ${request.stack}`,
      "no Pulumi backend is configured; the whole team must be able to reach the state",
      `pulumi login   (or: pulumi login s3://<bucket>), then: pulumi stack init ${request.stack}`,
    );
  mkdirSync(request.fallback, { recursive: true, mode: 0o700 });
  const given = env.PULUMI_CONFIG_PASSPHRASE !== undefined || env.PULUMI_CONFIG_PASSPHRASE_FILE !== undefined;
  return {
    PULUMI_BACKEND_URL: `file://${request.fallback}`,
    ...(given ? {} : { PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile(request.fallback) }),
  };
}

/** URL of the backend that the user configured, in the CLI's own order; undefined if there is none. */
export function configuredBackend(
  root: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const variable = env.PULUMI_BACKEND_URL;
  if (variable !== undefined && variable !== "") return variable;
  const project = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")) as { backend?: { url?: string } };
  if (project.backend?.url !== undefined) return project.backend.url;
  const credentials = join(env.PULUMI_CREDENTIALS_PATH ?? pulumiHome(env), "credentials.json");
  const current = existsSync(credentials)
    ? (JSON.parse(readFileSync(credentials, "utf8")) as { current?: string }).current
    : undefined;
  if (current !== undefined && current !== "") return current;
  return (env.PULUMI_ACCESS_TOKEN ?? "") === "" ? undefined : "https://api.pulumi.com";
}

function passphraseFile(folder: string): string {
  const path = join(folder, "passphrase");
  if (!existsSync(path)) writeFileSync(path, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  return path;
}

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { UserError } from "../../contract/errors.ts";
import { pulumiHome } from "./cli.ts";

/** Where the engine keeps its state, as environment variables for it. */
export type EngineEnvironment = Readonly<Record<string, string>>;

export interface BackendRequest {
  /** Root of the project. */
  readonly root: string;
  readonly stack: string;
  /** Folder of a backend that is made where none is configured; absent for stacks that other people share. */
  readonly fallback?: string;
  /** @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * What the engine's environment needs for its backend: nothing where one is configured, else the fallback's URL and,
 * where no passphrase is set, a generated one in a file of mode 0600 beside it.
 *
 * @throws UserError where none is configured and the stack may not have one of its own
 */
export function backendEnvironment(request: BackendRequest): EngineEnvironment {
  const env = request.env ?? process.env;
  if (configuredBackend(request.root, env) !== undefined) return {};
  if (request.fallback === undefined)
    throw new UserError(
      "failed",
      `stack ${request.stack}`,
      "no Pulumi backend is configured; its state must be where the whole team finds it",
      `pulumi login   (or: pulumi login s3://<bucket>), then: pulumi stack init ${request.stack}`,
    );
  mkdirSync(request.fallback, { recursive: true, mode: 0o700 });
  const given = env.PULUMI_CONFIG_PASSPHRASE !== undefined || env.PULUMI_CONFIG_PASSPHRASE_FILE !== undefined;
  return {
    PULUMI_BACKEND_URL: `file://${request.fallback}`,
    ...(given ? {} : { PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile(request.fallback) }),
  };
}

/** URL of the backend that the user chose, in the order in which the CLI looks; undefined where there is none. */
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

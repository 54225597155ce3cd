import { createHash } from "node:crypto";
import { UserError, UserErrors } from "../contract/errors.ts";
import { TRACED_SERVICE_ROLE, type ResourceGraph, type TracedRun, type TracedSecret } from "../contract/graph.ts";
import { GENERATED_SECRETS } from "../contract/secrets/generated.ts";
import { environmentOf } from "../stacks/settings/parse.ts";
import type { Setting } from "../stacks/settings/setting.ts";
import type { ConfigSource } from "../stacks/settings/source.ts";
import { SETTINGS } from "../stacks/settings/table.ts";
import { capture } from "./capture.ts";

/** The project of a traced run, which has to be known for the calls that return its keys. */
const PROJECT_REF = "abcdefghijklmnopqrst";

/**
 * The graph of a stack, and a second run of the program in which each secret has a made-up value: of a setting, of a generator, of the
 * database's API. A value that lost its mark on the way, in an `apply` or by `unsecret`, is then found as such.
 */
export async function captureTraced(stack: string, source: ConfigSource): Promise<ResourceGraph> {
  const graph = await capture(stack, source, { withoutStacks: true }).catch((error: unknown) => {
    if (error instanceof UserError || error instanceof UserErrors) throw error;
    return capture(stack, source); // Fails again, with the stack of the error.
  });
  const traced = await tracedRun(stack, source).catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  );
  return { ...graph, traced };
}

async function tracedRun(stack: string, source: ConfigSource): Promise<TracedRun> {
  const secrets: TracedSecret[] = [];
  /** A value that is made up from the name, so that two runs are the same. */
  const trace = (name: string): string => {
    const value = createHash("sha256").update(`traced ${name}`).digest("hex").slice(0, 32);
    secrets.push({ name, value });
    return value;
  };
  const { resources, outputs } = await capture(stack, withMadeUpSecrets(stack, source, trace), {
    withoutStacks: true,
    outputs: ({ type, name }) => {
      const made = GENERATED_SECRETS[type]?.map((output) => [output, trace(`${output} of ${name}`)] as const);
      return type.startsWith("supabase:") ? { id: PROJECT_REF } : made && Object.fromEntries(made);
    },
    results: {
      "supabase:index/getApikeys:getApikeys": { anonKey: "public", serviceRoleKey: trace(TRACED_SERVICE_ROLE) },
      "supabase:index/getPooler:getPooler": { url: { session: "postgresql://postgres@pooler.invalid:5432/postgres" } },
    },
  });
  return { resources, outputs, secrets };
}

/** The source with a made-up value for each secret that it has, or that the deployment supplies. */
function withMadeUpSecrets(stack: string, source: ConfigSource, trace: (name: string) => string): ConfigSource {
  const environment = environmentOf(stack, source);
  const values = new Map<string, string>();
  for (const [key, setting] of Object.entries(SETTINGS) as [string, Setting][]) {
    const given = source.get(key);
    const required = setting.required?.includes(environment) === true;
    if (setting.secret !== true || (given === undefined && !required) || given === "") continue;
    const value = accepted(setting, trace(`exai:${key}`));
    if (value !== undefined) values.set(key, value);
  }
  return {
    ...source,
    keys: [...new Set([...source.keys, ...values.keys()])],
    get: (key) => values.get(key) ?? source.get(key),
    isWritten: (key) => !values.has(key) && source.isWritten(key),
  };
}

/** A value with the traced text that the setting accepts; undefined if it accepts none. */
function accepted(setting: Setting, traced: string): string | undefined {
  return [
    traced,
    `https://traced.invalid/${traced}`,
    `postgresql://postgres:${traced}@traced.invalid:5432/postgres?sslmode=verify-full`,
    `whsec_${traced}`,
  ].find((value) => setting.check.safeParse(value).success);
}

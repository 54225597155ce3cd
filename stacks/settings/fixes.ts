import { fix, type Fix, command } from "../../contract/fix.ts";
import type { Environment } from "./setting.ts";
import type { Origin } from "./source.ts";

/** A key of a stack, and where its value comes from. */
export interface Place {
  readonly stack: string;
  /** Undefined if the stack does not say it. */
  readonly environment: Environment | undefined;
  readonly key: string;
  readonly origin: Origin;
  /** Whether a cluster's stack file has it encrypted. */
  readonly secret?: boolean;
}

/** How to give a key another value. A stack on this machine has no `pulumi config`: its file is edited. */
export function setFix({ stack, environment, key, origin, secret = false }: Place, value: string): Fix {
  if (origin === "typed") return fix`--set ${key}=${shellWord(value)}`;
  if (origin === "recorded") return fix`${command(`${upOf(stack)} --set ${key}=${shellWord(value)}`)}`;
  if (environment !== undefined && environment !== "local")
    return fix`pulumi config set ${secret ? "--secret " : ""}--stack ${stack} exai:${key} ${quoted(value)}`;
  const file = `Pulumi.${stack}.yaml`;
  // A shell fills in the output of a program, and a file does not.
  if (value.includes("$(")) return fix`set exai:${key} in ${file} to the output of: echo ${quoted(value)}`;
  return fix`set exai:${key}: ${quoted(value)} in ${file}`;
}

/** How to remove a key. */
export function removeFix({ stack, environment, key, origin }: Place): Fix {
  if (origin === "typed") return fix`omit --set ${key}`;
  if (origin === "recorded") return fix`${command(`${upOf(stack)} --set ${key}=`)}`;
  if (environment === undefined || environment === "local") return fix`remove exai:${key} from Pulumi.${stack}.yaml`;
  return fix`pulumi config rm --stack ${stack} exai:${key}`;
}

/** In double quotes; in single quotes if it has double ones itself. Both are understood by a shell and by YAML. */
function quoted(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

function shellWord(value: string): string {
  return /^[\w./:@%+,-]*$/.test(value) ? value : quoted(value);
}

function upOf(stack: string): string {
  return stack === "local" ? "up" : `up ${stack}`;
}

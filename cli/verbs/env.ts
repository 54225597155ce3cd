import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { serverVariables, type ServerVariable } from "../../stacks/server.ts";
import { parseSettings } from "../../stacks/settings.ts";
import { stackFileSource } from "../../synth/stack-file.ts";

export interface EnvOptions {
  /** Prints an `.env.example` instead of the effective values. */
  readonly example: boolean;
}

/** The server's effective environment on a stack, secrets masked; or an `.env.example` for running it by hand. */
// Verbs are asynchronous by contract; this one has nothing to wait for.
// eslint-disable-next-line @typescript-eslint/require-await
export async function* env(stack: string, overrides: Readonly<Record<string, string>>, options: EnvOptions): Verb {
  const settings = parseSettings(stack, stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true }));
  const variables = serverVariables(settings);
  if (options.example) {
    yield { type: "text", text: variables.map(exampleLines).join("\n\n") };
    return EXIT.ok;
  }
  yield {
    type: "table",
    columns: ["VARIABLE", "VALUE", "FROM"],
    rows: variables.map((variable) => [
      variable.name,
      variable.secret ? masked(variable) : (variable.value ?? "(not set)"),
      `exai:${variable.key}`,
    ]),
  };
  return EXIT.ok;
}

function masked(variable: ServerVariable): string {
  if (variable.generated) return "******** (generated, mounted as a file)";
  return variable.set ? "******** (mounted as a file)" : "(not set)";
}

function exampleLines(variable: ServerVariable): string {
  const value = variable.secret ? "" : (variable.value ?? "");
  return `# ${variable.about}${variable.secret ? "; or its file in " + variable.name + "_FILE" : ""}\n${variable.name}=${value}`;
}

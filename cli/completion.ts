import { readdirSync } from "node:fs";
import type { Command } from "commander";
import addCompletion from "@bomb.sh/tab/commander";
import { PROJECT_ROOT } from "../operations/images/paths.ts";

/** Adds `complete`, which prints a shell's completion script and answers its queries. */
export function registerCompletion(program: Command): void {
  const completion = addCompletion(program);
  for (const command of completion.commands.values()) {
    for (const stack of [command.options.get("stack"), command.arguments.get("stack")])
      if (stack !== undefined)
        stack.handler = (complete) => {
          for (const name of stackNames()) complete(name, `Pulumi.${name}.yaml`);
        };
  }
}

function stackNames(): readonly string[] {
  return readdirSync(PROJECT_ROOT)
    .flatMap((file) => /^Pulumi\.([^.]+)\.yaml$/.exec(file)?.[1] ?? [])
    .sort();
}

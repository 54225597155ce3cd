import { Command, InvalidArgumentError } from "commander";
import type { Verb } from "../events.ts";
import type { Overrides } from "../../platforms/compose/project.ts";

/** Renders a verb's events; sets the process's exit code. */
export type Run = (verb: Verb | ((signal: AbortSignal) => Verb)) => Promise<void>;

/** What a command module gives to `cli/program.ts`. */
export type Register = (program: Command, run: Run) => void;

/** Reads a repeated `--set key=value`. */
export function collectOverrides(text: string, before: Overrides = {}): Overrides {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("takes key=value, e.g. --set httpPort=8090");
  return { ...before, [text.slice(0, equals).replace(/^exai:/, "")]: text.slice(equals + 1) };
}

/** Adds the option that overrides settings for one run. */
export function withOverrides(command: Command): Command {
  return command.option("--set <key=value>", "override a setting for this run; may be repeated", collectOverrides);
}

/** Adds the argument that names the stack, `local` by default. */
export function stackCommand(program: Command, name: string, description: string): Command {
  return withOverrides(
    program.command(name).description(description).argument("[stack]", "local, staging or prod", "local"),
  );
}

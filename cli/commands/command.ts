import { InvalidArgumentError, type Command } from "commander";
import { UserError } from "../../contract/errors.ts";
import { command as cli, fix } from "../../contract/fix.ts";
import type { Overrides } from "../../platforms/declared.ts";
import type { Verb } from "../events.ts";

/** Runs a verb, shows its events, and sets the exit code of the process. */
export type Run = (verb: (signal: AbortSignal) => Verb) => Promise<void>;

/** Adds a verb with its flags and its handler to the program. */
export type Register = (program: Command, run: Run) => void;

/** What `--set` gives. */
export interface SetFlags {
  readonly set?: Overrides;
}

/** Adds the option that overrides settings for one run. */
export function withOverrides(command: Command): Command {
  return command.option("--set <key=value>", "override a setting for this run; may be repeated", collectOverrides);
}

/** Adds what names the stack, `local` by default, and `--set`: an argument, or the `--stack` that every verb has. */
export function onStack(command: Command, stacks = "local, staging or prod"): Command {
  return withStackOption(withOverrides(command.argument("[stack]", stacks, "local"))).hook(
    "preAction",
    (declaring, action) => {
      takeFrom(declaring, action);
      const { stack } = action.opts<{ stack?: string }>();
      if (stack !== undefined) action.processedArgs = [...namedBy(action, stack)];
    },
  );
}

/** Gives a subcommand the options of the same name that its parent, which is a verb as well, has read in its place. */
function takeFrom(parent: Command, action: Command): void {
  for (const option of action.options) {
    const name = option.attributeName();
    if (parent !== action && parent.getOptionValueSource(name) === "cli")
      action.setOptionValueWithSource(name, parent.getOptionValue(name), "cli");
  }
}

/** Adds the `--stack` of a verb whose stack {@link stacksOf} finds. */
export function withStackOption(command: Command): Command {
  return command.option("--stack <stack>", "the same as the argument");
}

/** The stacks that were typed as arguments, or the one that an option names. */
export function stacksOf(
  action: Command,
  typed: readonly string[],
  stack: string | undefined,
  option = "--stack",
): readonly string[] {
  if (stack === undefined) return typed;
  if (typed.length === 0 || (typed.length === 1 && typed[0] === stack)) return [stack];
  return namedTwice(action, typed, `${option} ${stack}`);
}

function namedTwice(action: Command, typed: readonly string[], option: string): never {
  return action.error(`error: the stack is named twice: ${typed.join(" ")}, and ${option}`);
}

/** The arguments of a verb whose stack `--stack` names: the stack in its place among those that were typed. */
function namedBy(action: Command, stack: string): readonly string[] {
  const { args, registeredArguments } = action;
  if (args.length < registeredArguments.length) {
    const at = registeredArguments.findIndex((each) => each.name() === "stack");
    return args.toSpliced(at, 0, stack);
  }
  if (args.includes(stack)) return args;
  return namedTwice(action, args, `--stack ${stack}`);
}

/** Adds `--reason`, which every verb that changes a stack has. */
export function withReason(command: Command): Command {
  return command.option("--reason <text>", "reason, for the history and ./exai log");
}

/** What `--reason` gives. */
export interface ReasonFlag {
  readonly reason?: string;
}

/** Reads a number of entries. @throws UserError with a command that works */
export function countOf(text: string | undefined, fallback: number, example: string): number {
  if (text === undefined) return fallback;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UserError("invalid-argument", "--last", `"${text}" is not a number of entries`, fix`${cli(example)}`);
}

/** Reads a repeated `--set key=value`. */
export function collectOverrides(text: string, before: Overrides = {}): Overrides {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("Expected key=value, for example --set httpPort=8090.");
  // Computed, so that `__proto__` is a key like any other, which the settings refuse.
  return { ...before, [text.slice(0, equals).replace(/^exai:/, "")]: text.slice(equals + 1) };
}

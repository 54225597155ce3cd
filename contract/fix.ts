/** A command of this CLI without its program, e.g. `rollout resume`: `cli/format` writes it as a person types it. */
export interface Command {
  readonly command: string;
}

/** A command of this CLI, as a part of {@link fix} or as a next step of a result. */
export function command(line: string): Command {
  return { command: line };
}

/** The line of a command on a stack; undefined stands for `local`, which a line need not name. */
export function onStack(line: string, stack: string | undefined): string {
  return stack === undefined ? line : `${line} ${stack}`;
}

/** What corrects an error: text, with the commands of this CLI kept apart from it. */
export class Fix {
  readonly parts: readonly (string | Command)[];

  constructor(parts: readonly (string | Command)[]) {
    this.parts = parts;
  }

  /** The text, with each command written by `write`. */
  render(write: (command: Command) => string): string {
    return this.parts.map((part) => (typeof part === "string" ? part : write(part))).join("");
  }

  /** For programs other than the CLI, such as the engine: `exai rollout resume`. */
  toString(): string {
    return this.render((part) => `exai ${part.command}`);
  }

  /** In JSON, a list of strings and of objects such as `{"command":"rollout resume"}`. */
  toJSON(): readonly (string | Command)[] {
    return this.parts;
  }
}

/** Makes a {@link Fix} of a template: `` fix`${command("rollout resume")}, or end process ${pid}` ``. */
export function fix(strings: TemplateStringsArray, ...values: readonly (string | number | Command)[]): Fix {
  const parts = strings.flatMap((text, index) => {
    const value = values[index];
    return value === undefined ? [text] : [text, typeof value === "number" ? String(value) : value];
  });
  return new Fix(parts.filter((part) => part !== ""));
}

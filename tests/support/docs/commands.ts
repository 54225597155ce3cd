import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import type { Register } from "../../../cli/commands/command.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { SETTINGS } from "../../../stacks/settings/table.ts";

/** The program of the CLI with every verb and option, which runs nothing. */
export async function commandTree(): Promise<Command> {
  const program = new Command("exai").option("--json").option("--plain").option("--help").option("--version");
  program.command("complete <shell>");
  const folder = join(PROJECT_ROOT, "cli/commands");
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((each) =>
    each.endsWith(".ts"),
  )) {
    const module = (await import(join(folder, name))) as Record<string, unknown>;
    for (const [key, value] of Object.entries(module))
      if (/^register[A-Z]/.test(key)) (value as Register)(program, () => Promise.resolve());
  }
  return program;
}

/** The arguments of every `./exai` command in the code spans and code blocks of a page. */
export function commandsOf(text: string): string[][] {
  const blocks = [...text.matchAll(/^```[\s\S]*?^```$/gm)].flatMap(([block]) =>
    [...block.matchAll(/^\s*(?:\$ )?(\.\/exai\b.*)$/gm)].map(([, line]) => line ?? ""),
  );
  const spans = [...text.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/`[^`]*(\.\/exai\b[^`]*)`/g)].map(
    ([, span]) => span ?? "",
  );
  return [...blocks, ...spans].map((command) =>
    command
      .replace(/\s(?:#|&&|\||>|;|\().*$/, "")
      .trim()
      .split(/\s+/)
      .slice(1),
  );
}

/** The arguments of every `./exai` command that a workflow runs. */
export function commandsOfScripts(workflow: string): string[][] {
  const lines = workflow.replaceAll(/\\\n\s*/g, "");
  return [...lines.matchAll(/^[^#\n]*?\.\/exai (.*)$/gm)].map(([, words = ""]) =>
    words
      .replaceAll(/"[^"]*"/g, "VALUE")
      .replace(/\s(?:>|\|).*$/, "")
      .trim()
      .split(/\s+/),
  );
}

/** The first verb or option of a command that does not exist. */
export function faultOf(program: Command, words: readonly string[]): string | undefined {
  let command = program;
  const line = `./exai ${words.join(" ")}`;
  const options = new Set(["--help"]);
  const learn = (): void => {
    for (const { long, short } of command.options) for (const flag of [long, short]) if (flag) options.add(flag);
  };
  learn();
  for (const [index, word] of words.entries()) {
    const flag = /^\[?(--?[a-z][\w-]*)/.exec(word)?.[1];
    if (flag !== undefined) {
      if (!options.has(flag)) return `${line}: no option ${flag}`;
      const key = flag === "--set" ? /^(?:exai:)?(\w+)=/.exec(words[index + 1] ?? "")?.[1] : undefined;
      if (key !== undefined && key !== "key" && !Object.hasOwn(SETTINGS, key)) return `${line}: no setting ${key}`;
      continue;
    }
    if (command.commands.length === 0 || !/^[a-z]/.test(word)) continue;
    for (const name of word.split("|")) {
      const next = command.commands.find((each) => each.name() === name);
      // A verb with subcommands may have an argument itself, such as the stack.
      if (next === undefined && command.registeredArguments.length > 0) break;
      if (next === undefined) return `${line}: no verb ${name} in ${command.name()}`;
      if (!word.includes("|")) command = next;
    }
    learn();
  }
  return undefined;
}

import { cut, match } from "./match.ts";

/** A command of a `console` block, and what the page shows of its output. */
export interface Example {
  readonly command: string;
  /** Lines; "…" stands for lines that are left out, and at the end of a line for its rest. */
  readonly sample: readonly string[];
}

/** A `console` block of a page. */
export interface ConsoleBlock {
  /** The text between the fences. */
  readonly text: string;
  readonly examples: readonly Example[];
}

const BLOCK = /^```console\n([\s\S]*?)^```$/gm;

/** The `console` blocks of a page. @throws Error for one that begins with something else than a command */
export function consoleBlocks(page: string): readonly ConsoleBlock[] {
  return [...page.matchAll(BLOCK)].map(([, text = ""]) => {
    if (!text.startsWith("$ ")) throw new Error(`a console block begins with a command, as "$ ./exai up":\n${text}`);
    const examples = text
      .slice(2)
      .replace(/\n$/, "")
      .split("\n$ ")
      .map((part) => part.split("\n"))
      .map(([command = "", ...sample]): Example => ({ command, sample }));
    return { text, examples };
  });
}

/** Whether what a command printed is what the page shows. */
export function fits({ sample }: Example, output: readonly string[]): boolean {
  return match(sample, output) !== undefined;
}

/**
 * The page with what its commands printed. A sample keeps its omissions as long as it fits; one that does not fit becomes the
 * whole output, for a person to shorten.
 *
 * @param outputs what each command of the page printed, in the order of the page
 */
export function withOutputs(page: string, outputs: readonly (readonly string[])[]): string {
  const left = [...outputs];
  const blocks = consoleBlocks(page).map(({ examples }) =>
    examples.flatMap((example) => [`$ ${example.command}`, ...refreshed(example, left.shift() ?? [])]),
  );
  return page.replaceAll(
    BLOCK,
    () => `\`\`\`console\n${(blocks.shift() ?? []).map((line) => `${line}\n`).join("")}\`\`\``,
  );
}

function refreshed({ sample }: Example, output: readonly string[]): readonly string[] {
  const places = match(sample, output);
  if (places === undefined) return output.map((line) => cut(line));
  return sample.map((line, index) => {
    const place = places[index];
    return place === undefined ? line : cut(output[place] ?? "");
  });
}

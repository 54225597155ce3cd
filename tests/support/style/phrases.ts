import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { passagesOf } from "./extract.ts";
import { type SourceFile, writtenFiles } from "./files.ts";

const LIST = new URL("../../unit/style/phrases.yaml", import.meta.url);

const schema = z.strictObject({
  skip: z.array(z.string()),
  phrases: z.array(z.strictObject({ pattern: z.string(), write: z.string(), except: z.array(z.string()).optional() })),
});

/** A phrase that is not used. */
export interface Phrase {
  readonly pattern: RegExp;
  readonly write: string;
  readonly except: readonly RegExp[];
}

/** A place that has one. */
export interface Finding {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** The words found, on one line. */
  readonly words: string;
  readonly write: string;
}

/** Reads the list of phrases, and the paths that it does not concern. */
export function readPhrases(): { readonly phrases: readonly Phrase[]; readonly skip: readonly RegExp[] } {
  const list = schema.parse(parse(readFileSync(LIST, "utf8")));
  const expression = (text: string) => new RegExp(text.replaceAll(/ (?!\?)/g, "\\s+").replaceAll(" ?", "\\s*"), "dgim");
  return {
    phrases: list.phrases.map(({ pattern, write, except = [] }) => ({
      pattern: expression(pattern),
      write,
      except: except.map(expression),
    })),
    skip: list.skip.map((path) => new RegExp(path)),
  };
}

/** The phrases that a file's strings, comments and prose have, in the order of lines. */
export function findPhrases(path: string, content: string, phrases: readonly Phrase[]): readonly Finding[] {
  return passagesOf(path, content)
    .flatMap((passage) =>
      phrases.flatMap(({ pattern, write, except }) => {
        const right = except.flatMap((each) => [...passage.text.matchAll(each)].map(spanOf));
        return [...passage.text.matchAll(pattern)]
          .map((match) => ({ words: match[0], span: spanOf(match) }))
          .filter(({ span }) => !right.some(([from, to]) => from <= span[0] && span[1] <= to))
          .map(({ words, span }) => ({
            path,
            line: passage.lineOf(span[0]),
            words: words.replaceAll(/\s+/g, " ").trim(),
            write,
          }));
      }),
    )
    .sort((a, b) => a.line - b.line);
}

/** The phrases of folders or files. */
export function findPhrasesIn(places: readonly string[]): readonly Finding[] {
  const { phrases, skip } = readPhrases();
  return places
    .flatMap(writtenFiles)
    .filter(({ path }) => !skip.some((each) => each.test(path)))
    .flatMap(({ file, path }: SourceFile) => findPhrases(path, readFileSync(file, "utf8"), phrases));
}

function spanOf(match: RegExpExecArray): readonly [number, number] {
  return [match.index, match.index + match[0].length];
}

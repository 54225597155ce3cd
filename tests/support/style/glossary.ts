import { readFileSync } from "node:fs";
import { writtenFiles } from "./files.ts";

const GLOSSARY = new URL("../../../docs/glossary.md", import.meta.url);

/** A word of the glossary, with the synonyms that are not used. */
export interface Term {
  readonly term: string;
  readonly not: readonly string[];
  /** Phrases that contain a synonym and are right, and paths in which it is. */
  readonly except: readonly string[];
}

/** Reads the table of docs/glossary.md. */
export function readGlossary(): readonly Term[] {
  const spans = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);
  return readFileSync(GLOSSARY, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter(([, term = ""]) => term !== "Term" && !term.startsWith("-"))
    .map(([, term = "", , not = "", except = ""]) => ({ term, not: spans(not), except: spans(except) }));
}

/** The synonyms in a text, each with its line from 1: as a word, and as a part of an identifier. */
export function findSynonyms(path: string, text: string, terms: readonly Term[]): readonly string[] {
  return terms.flatMap(({ term, not, except }) =>
    except.some((each) => each.endsWith("/") && path.startsWith(each))
      ? []
      : not.flatMap((synonym) =>
          [...text.matchAll(expressionOf(synonym))]
            .filter(({ index }) => !except.some((each) => near(text, index, each.length).includes(each)))
            .map(({ 0: found, index }) => {
              const line = text.slice(0, index).split("\n").length;
              return `${path}:${String(line)}  "${found}"  write: ${term}`;
            }),
        ),
  );
}

/** The synonyms in all files that people wrote. */
export function findSynonymsIn(place: string): readonly string[] {
  const terms = readGlossary();
  return writtenFiles(place)
    .filter(({ path }) => !/^(sdks|tests\/unit\/(style|snapshots))\/|^docs\/glossary\.md$/.test(path))
    .flatMap(({ file, path }) => [
      ...findSynonyms(path, path, terms),
      ...findSynonyms(path, readFileSync(file, "utf8"), terms),
    ]);
}

function expressionOf(synonym: string): RegExp {
  const words = synonym.replaceAll(" ", "\\s+");
  const capital = words.charAt(0).toUpperCase() + words.slice(1);
  return new RegExp(`(?<![A-Za-z])(?:${words}|${capital})(?![a-z])|(?<=[a-z])${capital}(?![a-z])`, "g");
}

function near(text: string, index: number, length: number): string {
  return text.slice(Math.max(0, index - length), index + length);
}

import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { passagesOf } from "../../support/style/extract.ts";
import { findPhrases, findPhrasesIn, readPhrases } from "../../support/style/phrases.ts";

const { phrases } = readPhrases();
const wordsIn = (path: string, content: string) => findPhrases(path, content, phrases).map(({ words }) => words);

describe("the list of phrases", () => {
  it.each([
    ["Nobody waits", "Nobody"],
    ["The release was taken back", "taken back"],
    ["It takes its own release back", "takes its own release back"],
    ["The port is no number", "is no"],
    ["as the table has it", "table has it"],
    ["a port of its own", "of its own"],
    ["One query a look", "a look"],
    ["another operation is at it", "is at it"],
    ["it stays as it is", "stays as it is"],
  ])("finds %j", (text, words) => {
    expect(wordsIn("page.md", `${text} now.`)).toContain(words);
  });

  it.each([
    "There is no port.",
    "The port is no longer free.",
    "The verdict is no data.",
    "It takes a backup, and a step back.",
    "A renewal that looks recent is accepted.",
    "Look at it.",
    "It has its own port.",
  ])("accepts %j", (text) => {
    expect(wordsIn("page.md", text)).toEqual([]);
  });
});

describe("the text of a file", () => {
  const found = (path: string, content: string) =>
    findPhrases(path, content, phrases).map(({ line, words }) => [line, words]);

  it("is that of strings, templates, regular expressions and comments of TypeScript, not its names", () => {
    const code = [
      'import { a } from "./nobody.ts";',
      "const nobody = 1; // mend it",
      "const text = `${nobody} was told ${`anew ${a}`}`;",
      'const long = "was taken " +',
      '  "back";',
      "expect(text).toMatch(/is no number/);",
    ].join("\n");
    expect(found("x.ts", code)).toEqual([
      [2, "mend"],
      [3, "told"],
      [3, "anew"],
      [4, "taken back"],
      [6, "is no"],
    ]);
  });

  it("joins lines of comments and of prose", () => {
    expect(found("x.ts", "// It was taken\n// back.\nconst x = 1;\n/**\n * A port is\n * no number.\n */\n")).toEqual([
      [1, "taken back"],
      [5, "is no"],
    ]);
    expect(found("x.sql", "select 1;\n-- taken\n-- back\n")).toEqual([[2, "taken back"]]);
    expect(found("x.md", "one\n\n> was taken\n> back\n")).toEqual([[3, "taken back"]]);
  });

  it("has the place of each passage", () => {
    const [first] = passagesOf("x.ts", 'const a = 1;\nconst b = "two";\n');
    expect(first).toMatchObject({ kind: "string", text: "two" });
    expect(first?.lineOf(0)).toBe(2);
  });
});

it("no string, comment or page has a phrase of the list", () => {
  const found = findPhrasesIn([fileURLToPath(new URL("../../..", import.meta.url))]);
  expect(found.map(({ path, line, words, write }) => `${path}:${String(line)}  "${words}"  write: ${write}`)).toEqual(
    [],
  );
});

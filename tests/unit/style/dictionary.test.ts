import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { writtenFiles } from "../../support/style/files.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** The words that cspell accepts in addition to its own dictionaries. */
const words = readFileSync(new URL("../../../.cspell/words.txt", import.meta.url), "utf8")
  .trimEnd()
  .split("\n");

describe("the project's dictionary", () => {
  it("is sorted, in lower case and without repeats", () => {
    expect(words).toEqual([...new Set(words.map((word) => word.toLowerCase()))].sort());
  });

  it("has only words that the repository uses", () => {
    const text = writtenFiles(ROOT)
      .filter(({ path }) => !path.startsWith("sdks/"))
      .map(({ file }) => readFileSync(file, "utf8"))
      .join("\n")
      .toLowerCase();
    expect(words.filter((word) => !text.includes(word))).toEqual([]);
  });
});

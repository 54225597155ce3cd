import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { findSynonyms, findSynonymsIn, readGlossary } from "../../support/style/glossary.ts";

describe("docs/glossary.md", () => {
  const terms = readGlossary();

  it("has terms, sorted, without repeats", () => {
    const names = terms.map(({ term }) => term);
    expect(names.length).toBeGreaterThan(50);
    expect(names).toEqual([...new Set(names)].sort((a, b) => a.localeCompare(b, "en")));
  });

  it("forbids no word that is itself a term", () => {
    const names = new Set(terms.map(({ term }) => term));
    expect(terms.flatMap(({ not }) => not).filter((word) => names.has(word))).toEqual([]);
  });

  it.each([
    ["const slotColour = 1;", "Colour"],
    ["export interface Glance {}", "Glance"],
    ["the Docker\nengine", "Docker\nengine"],
  ])("finds the synonym in %j", (text, found) => {
    expect(findSynonyms("x.ts", text, terms)).toEqual([expect.stringContaining(`"${found}"`)]);
  });

  it.each(["troubleshooting", "an indoor lamp", "the Pulumi engine", "scenery"])("accepts %j", (text) => {
    expect(findSynonyms("x.ts", text, terms)).toEqual([]);
  });

  it("accepts a synonym in an excepted path", () => {
    expect(findSynonyms("cli/render/colours.ts", "colours", terms)).toEqual([]);
  });
});

it("no identifier, string, comment or page has a synonym that the glossary forbids", () => {
  expect(findSynonymsIn(fileURLToPath(new URL("../../..", import.meta.url)))).toEqual([]);
});

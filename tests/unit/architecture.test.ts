import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

// The direction of imports and cycles: `npm run architecture`, with the layers in .dependency-cruiser.js.

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const PRODUCT = ["cli", "platforms", "operations", "synth", "stacks", "components", "contract", "policies", "images"];

/** Files that a folder may hold. */
const CROWDED = 20;

/** A folder with one rule a file may hold more. */
const CROWDED_RULES = 30;

/** Folders of the product, each with its TypeScript files. */
const folders = PRODUCT.flatMap((part) =>
  [
    part,
    ...readdirSync(join(ROOT, part), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.parentPath.includes("node_modules"))
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name))),
  ].map((folder) => ({
    folder,
    files: readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".ts")),
  })),
);

describe("the house", () => {
  it("is seen as a whole", () => {
    expect(folders.flatMap(({ files }) => files).length).toBeGreaterThan(300);
  });

  it("has no crowded folder", () => {
    const crowded = folders
      .filter(({ folder, files }) => files.length > (folder.startsWith("policies/rules/") ? CROWDED_RULES : CROWDED))
      .map(({ folder, files }) => `${folder}: ${String(files.length)} files`);
    expect(crowded).toEqual([]);
  });

  it("names the command of its users in cli alone", () => {
    const named = folders
      .filter(({ folder }) => !/^cli(\/|$)/.test(folder))
      .flatMap(({ folder, files }) => files.map((name) => join(folder, name)))
      .filter((file) => readFileSync(join(ROOT, file), "utf8").includes("./exai"));
    expect(named).toEqual([]);
  });

  it("keeps index.ts within 30 lines", () => {
    expect(readFileSync(join(ROOT, "index.ts"), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(30);
  });
});

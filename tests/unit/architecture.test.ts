import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What each part of the house may import, besides itself. CONTRIBUTING.md draws the same. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  "components/core": ["contract"],
  components: ["components/core", "contract"],
  stacks: ["components", "components/core", "contract"],
  synth: ["stacks", "components", "components/core", "contract"],
  // The reference server is a program of its own; what checks its knobs is shared with the builder of its image.
  operations: ["contract", "images"],
  policies: ["contract"],
  images: ["contract"],
  cli: ["operations", "synth", "stacks", "components", "components/core", "policies", "images", "contract"],
};

const PARTS = Object.keys(MAY_IMPORT).sort((a, b) => b.length - a.length);

function partOf(path: string): string | undefined {
  return PARTS.find((part) => path.startsWith(`${part}/`));
}

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.[cm]?ts$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(/(?:from|import\()\s*"(\.{1,2}\/[^"]+)"/g)].map((match) =>
    normalize(join(dirname(file), match[1] ?? "")),
  );
}

describe("the direction of imports", () => {
  const files = [...new Set(PARTS.flatMap((part) => sources(part)))].filter((file) => !file.includes("/tests/"));

  it("sees the whole house", () => {
    expect(files.length).toBeGreaterThan(60);
  });

  it.each(PARTS)("%s imports only what lies below it", (part) => {
    const allowed = new Set([part, ...(MAY_IMPORT[part] ?? [])]);
    const against = files
      .filter((file) => partOf(file) === part)
      .flatMap((file) => importsOf(file).map((imported) => [file, imported] as const))
      .filter(([, imported]) => {
        const target = partOf(imported);
        return target !== undefined && !allowed.has(target);
      })
      .map(([file, imported]) => `${file} imports ${imported}`);
    expect(against).toEqual([]);
  });

  it("keeps index.ts within 30 lines", () => {
    expect(readFileSync(join(ROOT, "index.ts"), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(30);
  });
});

import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { LONG_FILES } from "../support/longest-first.ts";

describe("the list of long test files", () => {
  it("names only files that exist, each once", () => {
    expect(LONG_FILES.filter((file) => !existsSync(join(PROJECT_ROOT, file)))).toEqual([]);
    expect(new Set(LONG_FILES).size).toBe(LONG_FILES.length);
  });
});

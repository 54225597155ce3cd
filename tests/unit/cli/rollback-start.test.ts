import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { BUNDLED_LIBRARIES, bundleOf } from "../../../cli/start/libraries.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";

/** Counts the modules of each library that a process loads, and says them as the last line. */
const COUNTING = `
import { registerHooks } from "node:module";
const modules = {};
registerHooks({
  load(url, context, next) {
    const library = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1];
    if (library !== undefined) modules[library] = (modules[library] ?? 0) + 1;
    return next(url, context);
  },
});
process.on("exit", () => console.log(JSON.stringify(modules)));
`;

const node = (...words: readonly string[]) =>
  spawnSync(process.execPath, words, {
    cwd: PROJECT_ROOT,
    encoding: "utf8",
    env: { ...process.env, NODE_NO_WARNINGS: "1", KUBECONFIG: "/no/such/kubeconfig" },
  });

/** `./exai rollback` in a process of its own, whose module cache is nobody else's. */
function rollback(start: readonly string[], ...words: readonly string[]) {
  const counting = `data:text/javascript,${encodeURIComponent(COUNTING)}`;
  const ran = node("--import", counting, ...start, "cli/main.ts", "rollback", ...words);
  const modules = JSON.parse(ran.stdout.trim().split("\n").at(-1) ?? "") as Record<string, number>;
  return { error: ran.stderr, modules };
}

const HEAVY = ["@pulumi/pulumi", "@pulumi/docker", "@pulumi/kubernetes", "@grpc/grpc-js", "typescript", "esbuild"];

/** As the launcher starts it, and as it is without what the launcher made. */
const STARTS = [
  ["with libraries of one file", ["--import", "./cli/start/resolve.ts"]],
  ["with libraries as they are", []],
] as const;

describe.each(STARTS)("the on-call waits for what a rollback loads, %s: no SDK, no compiler", (_, start) => {
  it("on this machine", () => {
    const { error, modules } = rollback(start, "--set", "instance=no-such-instance");
    expect(error).toMatch(/is not up|docker/);
    expect(Object.keys(modules)).toContain(loaded(start, "zod"));
    for (const heavy of [...HEAVY, "@kubernetes/client-node"]) expect(modules).not.toHaveProperty([heavy]);
  });

  it.each(["staging", "prod"])("on a cluster, although the secrets of %s are not at hand", (stack) => {
    const { error, modules } = rollback(start, "--stack", stack);
    expect(error).toMatch(/\/no\/such\/kubeconfig.* cannot be read/);
    expect(Object.keys(modules)).toContain(loaded(start, "@kubernetes/client-node"));
    for (const heavy of HEAVY) expect(modules).not.toHaveProperty([heavy]);
  });
});

/** Where a library's modules come from. Somebody else than the launcher may have installed it, and made no file of it. */
function loaded(start: readonly string[], library: string): string {
  return start.length > 0 && existsSync(bundleOf(library)) ? ".exai-bundles" : library;
}

describe("a library of one file", () => {
  it("has what the library has, or what is used of it", async () => {
    const directory = await mkdtemp(join(tmpdir(), "exai-bundles-"));
    try {
      const made = node("cli/start/bundle.ts", directory);
      expect(made.stderr).toBe("");
      for (const [library, used] of Object.entries(BUNDLED_LIBRARIES)) {
        const bundle = (await import(pathToFileURL(bundleOf(library, directory)).href)) as object;
        const names =
          used ?? Object.keys((await import(library)) as object).filter((name) => name !== "module.exports");
        expect(Object.keys(bundle).sort(), library).toEqual([...names].sort());
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("has all that the CLI imports of it", () => {
    const sources = globSync("{cli,contract,operations,stacks,synth}/**/*.ts", { cwd: PROJECT_ROOT });
    for (const [library, used] of Object.entries(BUNDLED_LIBRARIES)) {
      if (used === undefined) continue;
      const imported: string[] = [];
      const statement = new RegExp(`import \\{([^}]*)\\} from "${library}"`, "g");
      for (const source of sources) {
        const text = readFileSync(join(PROJECT_ROOT, source), "utf8");
        for (const [, names = ""] of text.matchAll(statement)) {
          const values = names.split(",").map((name) => name.trim());
          imported.push(...values.filter((name) => name !== "" && !name.startsWith("type ")));
        }
      }
      expect([...new Set(imported)].sort()).toEqual([...used].sort());
    }
  });
});

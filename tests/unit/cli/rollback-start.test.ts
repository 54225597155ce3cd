import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { BUNDLED_LIBRARIES, bundleOf, bundlesDirectory } from "../../../cli/start/libraries.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { freePorts } from "../../support/free-ports.ts";

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
function rollback(program: string, ...words: readonly string[]) {
  const counting = `data:text/javascript,${encodeURIComponent(COUNTING)}`;
  const ran = node("--import", counting, program, "rollback", ...words);
  const modules = JSON.parse(ran.stdout.trim().split("\n").at(-1) ?? "") as Record<string, number>;
  return { error: ran.stderr, modules };
}

beforeAll(() => {
  expect(node("cli/start/bundle.ts")).toMatchObject({ status: 0, stderr: "" });
}, 60_000);

const HEAVY = ["@pulumi/pulumi", "@pulumi/docker", "@pulumi/kubernetes", "@grpc/grpc-js", "typescript", "esbuild"];

/** With the hook, and without it. */
const STARTS = [
  ["of one file", "cli/main.ts", true],
  ["as they are", "cli/program.ts", false],
] as const;

describe.each(STARTS)(
  "the on-call waits for what a rollback loads: no SDK, no compiler; libraries %s",
  (_, program, bundled) => {
    function expectLoaded(modules: Readonly<Record<string, number>>, ...libraries: readonly string[]): void {
      for (const heavy of HEAVY) expect(modules).not.toHaveProperty([heavy]);
      for (const library of libraries) {
        if (bundled) expect(modules).not.toHaveProperty([library]);
        else expect(modules).toHaveProperty([library]);
      }
      if (bundled) expect(modules[".exai-bundles"]).toBeGreaterThanOrEqual(libraries.length);
    }

    it("on this machine", async () => {
      // The router of a stack that happens to be up here must not answer.
      const [closed = 0] = await freePorts(1);
      const settings = ["instance=no-such-instance", "homeDirectory=.exai/no-such-instance", `observePort=${closed}`];
      const { error, modules } = rollback(program, ...settings.flatMap((setting) => ["--set", setting]));
      expect(error).toMatch(/is not up|docker/);
      expectLoaded(modules, "commander", "pg", "yaml", "zod");
      expect(modules).not.toHaveProperty(["@kubernetes/client-node"]);
    });

    it.each(["staging", "prod"])("on a cluster, although the secrets of %s are not at hand", (stack) => {
      const { error, modules } = rollback(program, "--stack", stack);
      expect(error).toMatch(/\/no\/such\/kubeconfig.* cannot be read/);
      expectLoaded(modules, "@kubernetes/client-node", "commander", "yaml", "zod");
    });
  },
);

describe("a library of one file", () => {
  it.each(Object.entries(BUNDLED_LIBRARIES))("has what %s has, or what is used of it", async (library, used) => {
    const bundle = (await import(pathToFileURL(bundleOf(library, bundlesDirectory())).href)) as object;
    const names = used ?? Object.keys((await import(library)) as object).filter((name) => name !== "module.exports");
    expect(Object.keys(bundle).sort()).toEqual([...names].sort());
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

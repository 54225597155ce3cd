import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { USED_OF_CLIENT } from "../../../cli/start/bundle.ts";
import { runProgram } from "../../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { freePorts } from "../../support/free-ports.ts";

const FOLDERS = ["cli", "components", "contract", "images", "operations", "platforms", "policies", "stacks", "synth"];

/** Counts the modules of each library that a process loads, and the sources, and prints the counts as the last line. */
const COUNTING = `
import { registerHooks } from "node:module";
const modules = {};
registerHooks({
  load(url, context, next) {
    const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1] ?? /cache\\/cli\\/(?:.*\\/)?(client|verbs)\\b/.exec(url)?.[1] ?? (url.endsWith(".ts") ? "source" : "other");
    modules[name] = (modules[name] ?? 0) + 1;
    return next(url, context);
  },
});
process.on("exit", () => console.log(JSON.stringify(modules)));
`;

/** Runs the CLI of a checkout in a separate process. */
const exai = (root: string, words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runProgram(join(root, "cli/start/run"), words, {
    cwd: root,
    env: { NODE_NO_WARNINGS: "1", KUBECONFIG: "/no/such/kubeconfig", ...env },
  });

async function loadedBy(...words: readonly string[]) {
  const counting = `--import=data:text/javascript,${encodeURIComponent(COUNTING)}`;
  const { stdout, stderr } = await exai(PROJECT_ROOT, words, { NODE_OPTIONS: counting });
  const modules = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, number>;
  return { stderr, modules };
}

describe("a rollback loads its bundle, and neither Pulumi's SDK nor a compiler", () => {
  beforeAll(async () => {
    expect((await exai(PROJECT_ROOT, ["--help"])).code).toBe(0); // builds the bundle
  });

  const BUNDLED = ["commander", "pg", "yaml", "zod", "ws", "@kubernetes/client-node"];
  const HEAVY = ["@pulumi/pulumi", "@pulumi/docker", "@pulumi/kubernetes", "@grpc/grpc-js", "typescript", "esbuild"];
  function expectLoaded(modules: Readonly<Record<string, number>>): void {
    for (const library of [...BUNDLED, ...HEAVY]) expect(modules).not.toHaveProperty([library]);
    expect(modules).not.toHaveProperty("source");
  }

  it("and --help only the commands", async () => {
    const { modules } = await loadedBy("--help");
    expectLoaded(modules);
    expect(modules).not.toHaveProperty("verbs");
  });

  it("and so does status", async () => {
    const { modules } = await loadedBy("status", "--set", "instance=no-such-instance");
    expectLoaded(modules);
  });

  it("on this machine", async () => {
    // The router of another stack on this machine must not answer.
    const [closed = 0] = await freePorts(1);
    const settings = ["instance=no-such-instance", "homeDirectory=.exai/no-such-instance", `observePort=${closed}`];
    const { stderr, modules } = await loadedBy("rollback", ...settings.flatMap((setting) => ["--set", setting]));
    expect(stderr).toMatch(/is not up|docker/);
    expectLoaded(modules);
    expect(modules.verbs).toBe(1);
    expect(modules).not.toHaveProperty("client");
  });

  it.each(["staging", "prod"])("on the cluster of %s, although its secrets are not known", async (stack) => {
    const { stderr, modules } = await loadedBy("rollback", "--stack", stack);
    expect(stderr).toMatch(/\/no\/such\/kubeconfig: there is no such kubeconfig/);
    expectLoaded(modules);
    expect(modules.client).toBe(1);
  });
});

describe("the bundle", () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "exai-start-"));
    for (const name of [
      ...FOLDERS,
      "package.json",
      "package-lock.json",
      "supabase",
      ...globSync("Pulumi*.yaml", { cwd: PROJECT_ROOT }),
    ])
      cpSync(join(PROJECT_ROOT, name), join(root, name), { recursive: true });
    symlinkSync(join(PROJECT_ROOT, "node_modules"), join(root, "node_modules"));
  });
  afterAll(() => {
    chmodSync(root, 0o755);
    rmSync(root, { recursive: true });
  });

  const bundles = () =>
    existsSync(join(root, ".exai/cache/cli"))
      ? readdirSync(join(root, ".exai/cache/cli")).filter((name) => /^[0-9a-f]{16}$/.test(name))
      : [];

  it("is built once by concurrent first commands, which leave nothing else", async () => {
    const ran = await Promise.all([1, 2, 3].map(() => exai(root, ["env", "local"])));
    expect(ran.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(bundles()).toHaveLength(1);
    expect(readdirSync(join(root, ".exai/cache/cli"))).toHaveLength(2);
  });

  it("is never stale: a changed source is in the next command, even with its old times", async () => {
    const source = join(root, "cli/program.ts");
    const { length } = readFileSync(source, "utf8");
    const before = new Date("2020-01-01");
    utimesSync(source, before, before);
    await exai(root, ["--help"]);
    const changed = readFileSync(source, "utf8").replace("Deployment stack of", "Employment stack of");
    expect(changed).toHaveLength(length);
    writeFileSync(source, changed);
    utimesSync(source, before, before);
    expect((await exai(root, ["--help"])).stdout).toContain("Employment stack of");
  });

  it("has stack traces with the lines of the sources", async () => {
    const source = join(root, "platforms/declared.ts");
    const text = readFileSync(source, "utf8");
    const line = text.split("\n").findIndex((each) => each.includes("readStackFile(PROJECT_ROOT, name)"));
    writeFileSync(
      source,
      text.replace("readStackFile(PROJECT_ROOT, name)", '(() => { throw new Error("a defect"); })()'),
    );
    const { stdout, stderr } = await exai(root, ["env", "local"]);
    expect(stdout + stderr).toContain(`platforms/declared.ts:${String(line + 1)}`);
    writeFileSync(source, text);
  });

  it("serves the checkout after it has moved", async () => {
    await exai(root, ["--help"]);
    const built = bundles();
    const moved = `${root}-moved`;
    renameSync(root, moved);
    const { code, stdout } = await exai(moved, ["env", "local"]);
    renameSync(moved, root);
    expect(code).toBe(0);
    expect(stdout).toContain("BROWSER_SECURITY_ENABLED");
    expect(bundles()).toEqual(built);
  });

  it("has the thread that reads the database", async () => {
    const report = join(root, "report.json");
    expect((await exai(root, ["plan", "local", "--format", "json", "--out", report])).code).toBe(0);
    expect(JSON.parse(readFileSync(report, "utf8"))).toMatchObject({ stacks: [{ database: { cached: false } }] });
    const verbs = readFileSync(join(root, ".exai/cache/cli", bundles()[0] ?? "", "verbs.cjs"), "utf8");
    expect(/\.Worker\(new URL\("(.*?)", __bundle\)/.exec(verbs)?.[1]).toBe("worker.js");
  });

  it("is replaced by the sources if it cannot be built", async () => {
    rmSync(join(root, ".exai"), { recursive: true });
    writeFileSync(join(root, ".exai"), "not a folder");
    expect((await exai(root, ["env", "prod"])).code).toBe(0);
    rmSync(join(root, ".exai"));
    mkdirSync(join(root, ".exai"));
  });
});

describe("the bundle of the Kubernetes client", () => {
  it("exports all that is imported from it", () => {
    const imported: string[] = [];
    for (const source of globSync(`{${FOLDERS.join(",")}}/**/*.ts`, { cwd: PROJECT_ROOT })) {
      const text = readFileSync(join(PROJECT_ROOT, source), "utf8");
      for (const [, names = ""] of text.matchAll(/import \{([^}]*)\} from "@kubernetes\/client-node"/g))
        imported.push(...names.split(",").map((name) => name.trim()));
    }
    const values = imported.filter((name) => name !== "" && !name.startsWith("type "));
    expect([...new Set(values)].sort()).toEqual([...USED_OF_CLIENT].sort());
  });
});

import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fromWire, toWire } from "../../../contract/engine/wire.ts";
import { Secret, Unknown, type ResourceGraph } from "../../../contract/graph.ts";
import { runProgram } from "../../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { keptGraph, PROGRAM } from "../../../synth/kept-graph.ts";
import { stackFileSource } from "../../../synth/stack-file.ts";
import { captureTraced } from "../../../synth/traced.ts";

describe("the graph of a stack", () => {
  let root: string;
  let runs: number;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "exai-graph-"));
    for (const name of ["Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.staging.yaml", "Pulumi.prod.yaml"])
      cpSync(join(PROJECT_ROOT, name), join(root, name));
    runs = 0;
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  const folder = () => join(root, ".exai/cache/plan");
  const graphOf = (stack: string, make?: () => Promise<ResourceGraph>) =>
    keptGraph(root, stack, () => {
      runs += 1;
      return make?.() ?? captureTraced(stack, stackFileSource(root, stack, { defers: true }));
    });

  it.each(["local", "staging", "prod"])("is read as the program of %s registered it", async (stack) => {
    delete process.env.PULUMI_ERROR_OUTPUT_STRING; // A capture sets it.
    const made = await graphOf(stack);
    const read = await graphOf(stack);
    expect(runs).toBe(1);
    // With the positions, which a getter of the registered resources finds.
    const whole = ({ traced, ...graph }: ResourceGraph) => [graph, traced].map((run) => structured(run));
    expect(whole(read)).toEqual(whole(made));
    expect(made.resources.filter(({ source }) => source !== undefined).length).toBeGreaterThan(20);
    expect(JSON.stringify(structured(made))).toContain("Secret of");
  });

  it("is made again for other settings, another stack, and where the file is damaged", async () => {
    await graphOf("staging");
    await graphOf("prod");
    expect(runs).toBe(2);
    writeFileSync(join(root, "Pulumi.staging.yaml"), "config:\n  exai:environment: staging\n", { flag: "a" });
    const refused = graphOf("staging");
    await expect(refused).rejects.toThrow();
    expect(runs).toBe(3);
    const [file = ""] = readdirSync(folder());
    expect(statSync(join(folder(), file)).mode & 0o777).toBe(0o400);
    for (const path of readdirSync(folder()).map((name) => join(folder(), name))) {
      chmodSync(path, 0o600);
      truncateSync(path, 1000);
      chmodSync(path, 0o400);
    }
    await graphOf("prod");
    await graphOf("prod");
    expect(runs).toBe(4);
  });

  it("is not read from a file that a commit has put there", async () => {
    const git = async (...words: string[]) => {
      const identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
      expect((await runProgram("git", [...identity, "-C", root, ...words])).code).toBe(0);
    };
    await graphOf("prod");
    await git("init", "--quiet");
    await git("add", "--force", ".");
    await git("commit", "--quiet", "--message", "A graph that the key fits");
    const [file = ""] = readdirSync(folder());
    rmSync(join(folder(), file));
    await git("checkout", "--quiet", ".");
    expect(readdirSync(folder())).toEqual([file]);
    await graphOf("prod");
    expect(runs).toBe(2);
    await graphOf("prod");
    expect(runs).toBe(2);
  });

  it("is made again for another value of a variable that a provider reads", async () => {
    const kubeconfig = process.env.KUBECONFIG;
    try {
      for (const path of ["/one", "/two", "/two"]) {
        process.env.KUBECONFIG = path;
        const { resources } = await graphOf("prod");
        expect(resources.find(({ type }) => type === "pulumi:providers:kubernetes")?.inputs.kubeconfig).toBe(path);
      }
    } finally {
      if (kubeconfig === undefined) delete process.env.KUBECONFIG;
      else process.env.KUBECONFIG = kubeconfig;
    }
    expect(runs).toBe(2);
  });

  it("is not kept if the run with made-up secrets failed", async () => {
    const failed = () =>
      Promise.resolve({ project: "exai", stack: "prod", resources: [], outputs: {}, traced: new Error("none") });
    await graphOf("prod", failed);
    await graphOf("prod", failed);
    expect(runs).toBe(2);
  });

  it("comes from files that its key has, and from variables that it has", async () => {
    const { stdout, stderr } = await runProgram(process.execPath, ["--input-type=module", "--eval", READING], {
      cwd: PROJECT_ROOT,
      env: { NODE_NO_WARNINGS: "1" },
    });
    expect(stderr).toBe("");
    const { files, variables } = JSON.parse(stdout) as { files: string[]; variables: string[] };
    const own = files
      .map((file) => relative(PROJECT_ROOT, file))
      .filter((file) => !file.startsWith("..") && !/(^|\/)node_modules\/(?!\.package-lock)/.test(file));
    expect(own).toContain("stacks/program.ts");
    expect(own).toContain("supabase/prelude.sql");
    const known: readonly string[] = [...PROGRAM.files, "Pulumi.yaml", "Pulumi.prod.yaml", "Pulumi.local.yaml"];
    const covered = (file: string) =>
      known.includes(file) || PROGRAM.folders.some((name) => file.startsWith(`${name}/`));
    expect(own.filter((file) => !covered(file))).toEqual([]);
    expect(variables).toContain("KUBECONFIG");
    // How Node, the library for YAML and the SDK report errors and print themselves.
    const printing = ["LOG_STREAM", "LOG_TOKENS", "PULUMI_ERROR_OUTPUT_STRING", "WATCH_REPORT_DEPENDENCIES"];
    expect(variables.filter((name) => !PROGRAM.variables.test(name) && !printing.includes(name))).toEqual([]);
  });
});

describe("the wire form", () => {
  it("gives secret and unknown values back, at any depth, and texts that look like nothing else", () => {
    const inputs = {
      plain: ["a", 1, true, null, { $unknown: "x", nested: { $secret: true } }],
      open: new Unknown("open"),
      hidden: new Secret({ list: [new Unknown("hidden.list[0]"), new Secret("word")], number: -0.5 }),
      deep: { list: [{ value: new Unknown("deep.list[0].value") }] },
    };
    expect(structured(fromWire(toWire(inputs)))).toEqual(structured(inputs));
  });
});

/** A value as plain data that shows secrets and the paths of unknown values. */
function structured(value: unknown): unknown {
  if (value instanceof Unknown) return `Unknown ${value.path}`;
  if (value instanceof Secret) return { "Secret of": structured(value.value) };
  if (Array.isArray(value)) return value.map(structured);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .map(([key, part]) => [key, structured(part)]),
  );
}

/**
 * Captures two stacks twice, and prints the files that were read for them, and the variables that were read the second time: when
 * libraries load, npm's read the whole environment.
 */
const READING = `
import fs from "node:fs";
import { registerHooks, syncBuiltinESMExports } from "node:module";
import { fileURLToPath } from "node:url";
const files = new Set();
const variables = new Set();
registerHooks({
  load(url, context, next) {
    if (url.startsWith("file:")) files.add(fileURLToPath(url));
    return next(url, context);
  },
});
for (const name of ["readFileSync", "openSync", "readFile", "open", "readdirSync"]) {
  const original = fs[name];
  fs[name] = (path, ...rest) => {
    files.add(path instanceof URL ? fileURLToPath(path) : String(path));
    return original(path, ...rest);
  };
}
syncBuiltinESMExports();
process.env = new Proxy(process.env, {
  get(target, name) {
    if (typeof name === "string") variables.add(name);
    return target[name];
  },
  set(target, name, value) {
    target[name] = value;
    return true;
  },
});
const { captureTraced } = await import("./synth/traced.ts");
const { stackFileSource } = await import("./synth/stack-file.ts");
for (let run = 0; run < 2; run += 1) {
  variables.clear();
  for (const stack of ["local", "prod"]) await captureTraced(stack, stackFileSource(".", stack, { defers: true }));
}
console.log(JSON.stringify({ files: [...files], variables: [...variables] }));
`;

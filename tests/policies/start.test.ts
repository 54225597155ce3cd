import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { PGlite } from "@electric-sql/pglite";
import { describe, expect, it } from "vitest";
import { openPglite } from "../../policies/database/postgres.ts";

/** Runs a module in a new process, with an empty module cache, and returns its output. */
function run(program: string): unknown {
  const result = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    encoding: "utf8",
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
  });
  expect(result.stderr).toBe("");
  return JSON.parse(result.stdout);
}

const LOADED = `import { createRequire } from "node:module";
import { loadLazily } from "./synth/lazy-modules.ts";
const cache = createRequire(import.meta.url + "/../package.json").cache;
const loaded = (name) => Object.entries(cache).some(([file, module]) => file.includes(name) && module.children.length > 0);
loadLazily();
`;

describe("modules that a plan does not use", () => {
  it("are not loaded when a stack is captured", () => {
    expect(
      run(`${LOADED}
const { capture } = await import("./synth/capture.ts");
const { stackFileSource } = await import("./synth/stack-file.ts");
const { resources } = await capture("prod", stackFileSource(".", "prod", { defers: true }));
console.log(JSON.stringify({ some: resources.length > 20, sdk: loaded("@pulumi/pulumi/index.js"), unused: ["/typescript/", "/automation/", "arborist", "createClosure", "dashboardv2", "@pulumi/kubernetes/helm/", "@pulumi/kubernetes/storage/"].filter(loaded) }));`),
    ).toEqual({ some: true, sdk: true, unused: [] });
  });

  it("are loaded on their first use", () => {
    expect(
      run(`${LOADED}
const pulumi = await import("@pulumi/pulumi");
const { LocalWorkspace } = await import("@pulumi/pulumi/automation/index.js");
const { text } = await pulumi.runtime.serializeFunction(() => 41 + 1);
const arborist = await import("@npmcli/arborist");
const kubernetes = await import("@pulumi/kubernetes");
console.log(JSON.stringify([typeof kubernetes.storage.v1.StorageClass, typeof LocalWorkspace.create, pulumi.automation.LocalWorkspace === LocalWorkspace, text.includes("41 + 1"), typeof arborist.Arborist]));`),
    ).toEqual(["function", "function", true, true, "function"]);
  });
});

describe("the prepared data directory", () => {
  it("has the same catalog, roles and settings as one that initdb of this PGlite creates", async () => {
    const [prepared, own] = [await openPglite([]), await PGlite.create()];
    for (const sql of [
      "select oid, proname, prosrc from pg_proc where oid < 16384 order by oid",
      "select oid, relname, relkind, relacl::text from pg_class where oid < 16384 and relkind <> 't' order by oid",
      "select rolname, rolsuper, rolbypassrls from pg_roles order by rolname",
      "select datname, encoding, datcollate, datctype from pg_database order by datname",
      // Without those that follow from the size of the shared buffers, which is smaller.
      "select name, setting from pg_settings where name !~* '(version|file|directory|timezone|_buffers$|^shared_memory|^io_max_concurrency$)' order by name",
    ])
      expect(await prepared.run(sql)).toEqual((await own.query(sql)).rows);
    await prepared.close();
    await own.close();
  });
});

import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";

/** What `./exai rollback` imports, in a process of its own, whose module cache is nobody else's. */
const PROGRAM = `
import { registerHooks } from "node:module";
const libraries = new Set();
registerHooks({
  load(url, context, next) {
    const library = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1];
    if (library !== undefined) libraries.add(library);
    return next(url, context);
  },
});
const { rolloutContext } = await import("./cli/local/rollout.ts");
await import("./cli/verbs/rollback.ts");
const set = { instance: "no-such-instance", homeDirectory: ".exai/no-such-instance" };
const refused = await rolloutContext("local", set, new AbortController().signal).then(() => "", (error) => error.message);
console.log(JSON.stringify({ refused, libraries: [...libraries] }));
`;

it("a rollback loads neither Pulumi's SDK nor the compiler: the on-call waits for what it loads", () => {
  const ran = spawnSync(process.execPath, ["--input-type=module", "--eval", PROGRAM], {
    cwd: PROJECT_ROOT,
    encoding: "utf8",
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
  });
  const { refused, libraries } = JSON.parse(ran.stdout) as { refused: string; libraries: string[] };
  expect(refused, ran.stderr).toMatch(/is not up|docker/);
  expect(libraries).toContain("zod");
  for (const heavy of ["@pulumi/pulumi", "@pulumi/docker", "@pulumi/kubernetes", "typescript", "esbuild"])
    expect(libraries).not.toContain(heavy);
});

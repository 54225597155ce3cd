import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { CLIENT_BUNDLE } from "../../../operations/rollout/kubernetes/client.ts";

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

/** `./exai rollback` in a process of its own, whose module cache is nobody else's. */
function rollback(...words: readonly string[]): { error: string; modules: Readonly<Record<string, number>> } {
  const counting = `data:text/javascript,${encodeURIComponent(COUNTING)}`;
  const program = ["--import", counting, "cli/main.ts", "rollback", ...words];
  const ran = spawnSync(process.execPath, program, {
    cwd: PROJECT_ROOT,
    encoding: "utf8",
    env: { ...process.env, NODE_NO_WARNINGS: "1", KUBECONFIG: "/no/such/kubeconfig" },
  });
  const modules = JSON.parse(ran.stdout.trim().split("\n").at(-1) ?? "") as Record<string, number>;
  return { error: ran.stderr, modules };
}

const HEAVY = ["@pulumi/pulumi", "@pulumi/docker", "@pulumi/kubernetes", "@grpc/grpc-js", "typescript", "esbuild"];

describe("the on-call waits for what a rollback loads: neither Pulumi's SDK nor a compiler", () => {
  it("on this machine", () => {
    const { error, modules } = rollback("--set", "instance=no-such-instance");
    expect(error).toMatch(/is not up|docker/);
    expect(Object.keys(modules)).toContain("zod");
    for (const heavy of HEAVY) expect(modules).not.toHaveProperty(heavy);
  });

  it.each(["staging", "prod"])("on a cluster, although the secrets of %s are not at hand", (stack) => {
    const { error, modules } = rollback("--stack", stack);
    expect(error).toMatch(/\/no\/such\/kubeconfig.* cannot be read/);
    for (const heavy of HEAVY) expect(modules).not.toHaveProperty(heavy);
    // What the launcher has made: absent where somebody else installed the libraries.
    if (existsSync(CLIENT_BUNDLE)) {
      expect(modules).toHaveProperty(".exai-bundles", 1);
      expect(modules).not.toHaveProperty("@kubernetes/client-node");
    } else expect(modules).toHaveProperty("@kubernetes/client-node");
  });
});

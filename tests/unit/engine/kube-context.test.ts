import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { requireContext } from "../../../stacks/kube-context.ts";
import { parseSettings } from "../../../stacks/settings.ts";
import { plainSource } from "../../../stacks/settings/source.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exai-context-"));
  for (const name of ["one", "two"])
    writeFileSync(join(folder, name), JSON.stringify({ contexts: [{ name, context: {} }] }));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const check = (kubeContext: string, more: Readonly<Record<string, string>> = {}) => {
  const settings = {
    hostname: "exai.example.com",
    productionUrl: "https://exai.example.com",
    supabaseProjectRef: "abcdefghijklmnopqrst",
    kubeContext,
    ...more,
  };
  requireContext(parseSettings("staging", plainSource(settings, { defers: true })));
};

test("the context of a stack is one of the file that the settings or the environment name", () => {
  vi.stubEnv("KUBECONFIG", `${join(folder, "one")}:${join(folder, "two")}:${join(folder, "missing")}`);
  for (const context of ["one", "two"]) check(context);
  check("two", { kubeconfig: join(folder, "two") });
  expect(() => {
    check("one", { kubeconfig: join(folder, "two") });
  }).toThrow(/has no such context; it has: two/);
});

test("no file, or no context in it, is refused; a local stack needs none", () => {
  vi.stubEnv("KUBECONFIG", join(folder, "missing"));
  expect(() => {
    check("one");
  }).toThrow(/has no such context; it has: none/);
  requireContext(parseSettings("local", plainSource({})));
});

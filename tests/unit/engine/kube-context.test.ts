// cspell:ignore regid reuid setpriv
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { runProgram } from "../../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
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

/** The error of a kubeconfig, with its place, message and fix. */
const refusal = (kubeconfig?: string): unknown => {
  try {
    check("one", kubeconfig === undefined ? {} : { kubeconfig });
  } catch (error) {
    return error;
  }
  return undefined;
};

test.each([
  ["of KUBECONFIG", true],
  ["of the settings", false],
])("a file %s that does not exist is named, with the fix", (_, byVariable) => {
  const path = join(folder, "missing");
  vi.stubEnv("KUBECONFIG", byVariable ? path : join(folder, "one"));
  expect(refusal(byVariable ? undefined : path)).toMatchObject({
    ...{ code: "not-found", where: path, message: "there is no such kubeconfig" },
    fix: { parts: ["export KUBECONFIG=<path of the kubeconfig>"] },
  });
});

test("without a file in the home, that place is named", () => {
  vi.stubEnv("KUBECONFIG", "");
  vi.stubEnv("HOME", folder);
  expect(refusal()).toMatchObject({ code: "not-found", where: join(folder, ".kube/config") });
});

test.each([
  ["a folder", undefined, /EISDIR/],
  ["broken YAML", "contexts: [", /is not a kubeconfig \(.+\)/],
  ["contexts that are not a list", "contexts: 1", /contexts is not a list/],
])("a file that is not a kubeconfig is named, with the problem: %s", (_, text, problem) => {
  const path = join(folder, "broken");
  if (text === undefined) mkdirSync(path);
  else writeFileSync(path, text);
  expect(refusal(path)).toMatchObject({
    ...{ code: "invalid-file", where: path, message: expect.stringMatching(problem) as string },
    fix: { parts: [`kubectl --kubeconfig ${path} config view`] },
  });
});

/** Root reads every file, so the program runs as a user that owns nothing. */
test.runIf(process.getuid?.() === 0)("a file that another user owns is named, with the fix", async () => {
  const path = join(folder, "one");
  chmodSync(folder, 0o755);
  chmodSync(path, 0o600);
  const module = join(PROJECT_ROOT, "stacks/kube-context.ts");
  const script = `const { requireContext } = await import(${JSON.stringify(module)});
    try { requireContext({ environment: "prod", kubeconfig: ${JSON.stringify(path)}, kubeContext: "one" }); }
    catch ({ code, where, fix }) { console.log(JSON.stringify({ code, where, fix })); }`;
  const user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
  const ran = await runProgram("setpriv", [...user, process.execPath, "--input-type=module", "-e", script]);
  expect(JSON.parse(ran.stdout)).toEqual({
    ...{ code: "permission-denied", where: path, fix: [`sudo chown "$USER" ${path}`] },
  });
});

test("a file without contexts is named; a local stack needs none", () => {
  const path = join(folder, "empty");
  writeFileSync(path, "");
  vi.stubEnv("KUBECONFIG", path);
  expect(refusal()).toMatchObject({ message: `${path} has no such context; it has: none` });
  requireContext(parseSettings("local", plainSource({})));
});

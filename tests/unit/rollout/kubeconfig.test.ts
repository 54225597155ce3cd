import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { UserError } from "../../../contract/errors.ts";
import { kubeConfig } from "../../../operations/rollout/kubernetes/kubeconfig.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exai-kubeconfig-"));
  vi.stubEnv("HOME", folder);
  vi.stubEnv("KUBECONFIG", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** A kubeconfig with a context of each name. */
function write(name: string, ...contexts: readonly string[]): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  const config = {
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:6443" } }],
    users: [{ name: "u", user: {} }],
    contexts: contexts.map((context) => ({ name: context, context: { cluster: "c", user: "u" } })),
    "current-context": contexts[0],
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

function refusal(path?: string, context?: string): UserError {
  try {
    kubeConfig(path, context);
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("the kubeconfig of a stack", () => {
  it("is the given file, else those of KUBECONFIG, else the home's", () => {
    write(".kube/config", "of-home");
    expect(kubeConfig(undefined, undefined).currentContext).toBe("of-home");
    vi.stubEnv("KUBECONFIG", `${write("one", "of-one")}:${write("two", "of-two")}`);
    expect(kubeConfig(undefined, undefined).currentContext).toBe("of-one");
    expect(kubeConfig(undefined, "of-two").currentContext).toBe("of-two");
    expect(kubeConfig(write("given", "of-given"), undefined).currentContext).toBe("of-given");
    expect(kubeConfig("~/given", undefined).currentContext).toBe("of-given");
  });

  it("is required: without one, the message names where it is looked for", () => {
    expect(refusal(undefined, "prod")).toMatchObject({
      code: "not-found",
      where: join(folder, ".kube/config"),
      message: expect.stringContaining("neither KUBECONFIG nor exai:kubeconfig") as string,
    });
  });

  it.each(["given", "KUBECONFIG"])("names the file that does not exist (%s)", (by) => {
    const path = join(folder, "absent");
    if (by === "KUBECONFIG") vi.stubEnv("KUBECONFIG", path);
    expect(refusal(by === "given" ? path : undefined)).toMatchObject({ code: "not-found", where: path });
  });

  it.skipIf(process.getuid?.() === 0)("names the file that this user cannot read", () => {
    const path = write("closed", "prod");
    chmodSync(path, 0);
    expect(refusal(path)).toMatchObject({ code: "permission-denied", where: path });
  });

  it.each(["{", "- a", "text: ["])("names the file that is not a kubeconfig: %s", (text) => {
    const path = join(folder, "broken");
    writeFileSync(path, text);
    expect(refusal(path, "prod")).toMatchObject({ where: expect.stringMatching(/broken|prod/) as string });
  });

  it("lists the contexts of the files if one is missing, with the nearest name", () => {
    const path = write("given", "exai-prod", "exai-staging");
    const error = refusal(path, "exai-prd");
    expect(error.where).toBe("exai:kubeContext exai-prd");
    expect(error.message).toBe(`${path} has no such context; did you mean exai-prod?; it has: exai-prod, exai-staging`);
    expect(String(error.fix)).not.toContain("loaded-context");
  });
});

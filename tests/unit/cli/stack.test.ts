import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openStack } from "../../../platforms/stack.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";

/** Paths of the stack files that were read. */
const read = vi.hoisted((): string[] => []);
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const readFileSync = ((path: string, ...rest: unknown[]) => {
    if (/\/Pulumi\.\w+\.yaml$/.test(path)) read.push(path.slice(path.lastIndexOf("/") + 1));
    return (fs.readFileSync as (...all: unknown[]) => unknown)(path, ...rest);
  }) as typeof fs.readFileSync;
  return { ...fs, readFileSync, default: { ...fs, readFileSync } };
});

const OVERRIDES = { instance: "exai-stack-test", homeDirectory: ".exai/stack-test" };
const signal = new AbortController().signal;

describe("a stack", () => {
  beforeEach(() => {
    read.length = 0;
  });
  afterEach(() => {
    rmSync(join(PROJECT_ROOT, OVERRIDES.homeDirectory), { recursive: true, force: true });
  });

  it("on this machine reads its file once, for everything that a command asks of it", async () => {
    const stack = openStack("local", OVERRIDES);
    expect(stack.settings.instance).toBe(OVERRIDES.instance);
    const [file] = await stack.synth({ withSecrets: false });
    expect(file).toMatchObject({ name: "compose.yaml", content: expect.stringContaining("exai-stack-test") as string });
    expect(await stack.variables()).not.toEqual([]);
    expect((await stack.database({ signal })).url).toMatch(/^postgres:/);
    stack.rotation(signal, {});
    expect(read).toEqual(["Pulumi.local.yaml"]);
  });

  it.each(["staging", "prod"])("on a cluster (%s) does so too", async (name) => {
    const stack = openStack(name);
    expect(stack.settings.environment).toBe(name);
    expect(await stack.synth({ withSecrets: false })).toMatchObject([{ name: `${name}.yaml` }]);
    await expect(stack.database({ signal })).rejects.toMatchObject({ where: "exai:databaseUrl" });
    expect(read).toEqual([`Pulumi.${name}.yaml`]);
  });
});

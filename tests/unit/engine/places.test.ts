import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { keptSlots } from "../../../stacks/kept-slots.ts";
import { UserError } from "../../../contract/errors.ts";
import { backendEnvironment, configuredBackend } from "../../../platforms/pulumi/backend.ts";
import { findCli, pulumiCli } from "../../../platforms/pulumi/cli.ts";
import { effectiveStackFile } from "../../../platforms/pulumi/stack-file.ts";
import { fixSaying } from "../../support/fix-saying.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "exai-engine-unit-"));
  writeFileSync(join(root, "Pulumi.yaml"), "name: exai\nruntime: nodejs\n");
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function fakeCli(folder: string, version: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "pulumi"), `#!/bin/sh\necho ${version}\n`);
  chmodSync(join(folder, "pulumi"), 0o755);
}

describe("the CLI", () => {
  test("is found on PATH, else installed under ~/.pulumi, else the newest that npm's package has put there", () => {
    const home = join(root, "home");
    const env = { PATH: join(root, "tools/bin"), PULUMI_HOME: home };
    expect(findCli(env)).toBeUndefined();
    for (const version of ["3.9.0", "3.265.0", "3.30.0"]) fakeCli(join(home, "versions", version, "bin"), version);
    expect(findCli(env)).toBe(join(home, "versions/3.265.0"));
    fakeCli(join(home, "bin"), "v3.260.0");
    expect(findCli(env)).toBe(home);
    fakeCli(join(root, "tools/bin"), "v3.260.0");
    expect(findCli(env)).toBe(join(root, "tools"));
  });

  test("that is missing, or too old, is an error that says how to get one", async () => {
    const env = { PATH: "", PULUMI_HOME: join(root, "home") };
    await expect(pulumiCli(env)).rejects.toThrow(UserError);
    fakeCli(join(root, "home/bin"), "v3.100.0");
    await expect(pulumiCli(env)).rejects.toMatchObject({
      message: "is version 3.100.0; at least 3.206.0 is needed",
      fix: fixSaying("npx --yes pulumi version"),
      exitCode: 2,
    });
  });
});

describe("the backend", () => {
  const nobody = () => ({ PULUMI_HOME: join(root, "home") });

  test("is the one that the user chose, in the CLI's own order", () => {
    expect(configuredBackend(root, nobody())).toBeUndefined();
    expect(configuredBackend(root, { ...nobody(), PULUMI_ACCESS_TOKEN: "pul-1" })).toBe("https://api.pulumi.com");
    mkdirSync(join(root, "home"));
    writeFileSync(join(root, "home/credentials.json"), JSON.stringify({ current: "s3://team" }));
    expect(configuredBackend(root, nobody())).toBe("s3://team");
    writeFileSync(join(root, "Pulumi.yaml"), "name: exai\nruntime: nodejs\nbackend:\n  url: gs://team\n");
    expect(configuredBackend(root, nobody())).toBe("gs://team");
    expect(configuredBackend(root, { ...nobody(), PULUMI_BACKEND_URL: "file:///x" })).toBe("file:///x");
  });

  test("of a shared stack is never made up", () => {
    const ask = () => backendEnvironment({ root, stack: "prod", env: nobody() });
    expect(ask).toThrow(UserError);
    expect(ask).toThrow(/no Pulumi backend is configured/);
  });

  test("of local is a folder with a passphrase that only the user can read, the same at the next run", () => {
    const ask = () => backendEnvironment({ root, stack: "local", fallback: join(root, "backend"), env: nobody() });
    const first = ask();
    const file = first.PULUMI_CONFIG_PASSPHRASE_FILE ?? "";
    expect(first.PULUMI_BACKEND_URL).toBe(`file://${root}/backend`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const passphrase = readFileSync(file, "utf8");
    expect(passphrase.trim()).toHaveLength(43);
    expect(ask()).toEqual(first);
    expect(readFileSync(file, "utf8")).toBe(passphrase);
  });

  test("a passphrase of the user's own is left to the CLI", () => {
    const env = { ...nobody(), PULUMI_CONFIG_PASSPHRASE: "" };
    const given = backendEnvironment({ root, stack: "local", fallback: join(root, "backend"), env });
    expect(given).toEqual({ PULUMI_BACKEND_URL: `file://${root}/backend` });
    expect(existsSync(join(root, "backend/passphrase"))).toBe(false);
  });
});

describe("the engine's copy of the stack file", () => {
  const shared = () => join(root, "Pulumi.local.yaml");
  const copy = (own: boolean, overrides: Record<string, string> = {}) =>
    parse(readFileSync(effectiveStackFile(root, join(root, "copy"), "local", overrides, own).path, "utf8")) as {
      config?: Record<string, unknown>;
      encryptionsalt?: string;
    };

  test("has the values of the run; the shared file stays", () => {
    writeFileSync(shared(), "# ours\nconfig:\n  exai:logLevel: info\n");
    expect(copy(true, { httpPort: "8090" }).config).toEqual({ "exai:logLevel": "info", "exai:httpPort": "8090" });
    expect(readFileSync(shared(), "utf8")).toBe("# ours\nconfig:\n  exai:logLevel: info\n");
  });

  test("keeps the encryption that the engine wrote into it, but not a value of an earlier run", () => {
    writeFileSync(shared(), "config: {}\n");
    copy(true, { httpPort: "8090" });
    writeFileSync(join(root, "copy/Pulumi.local.yaml"), "encryptionsalt: own\nconfig:\n  exai:httpPort: '8090'\n");
    expect(copy(true)).toEqual({ config: {}, encryptionsalt: "own" });
  });

  test("takes the team's encryption only where there is something to decrypt, or the passphrase is the user's", () => {
    writeFileSync(shared(), "encryptionsalt: team\nconfig: {}\n");
    expect(copy(true).encryptionsalt).toBeUndefined();
    expect(copy(false).encryptionsalt).toBe("team");
    writeFileSync(shared(), "encryptionsalt: team\nconfig:\n  exai:kimiApiKey:\n    secure: v1:x\n");
    expect(copy(true).encryptionsalt).toBe("team");
  });
});

describe("the images that the slots keep", () => {
  const state = (blue: string, green: string, image?: string) => ({
    slots: { blue, green },
    ...(image === undefined ? {} : { image }),
  });

  test("are those of a cutover, where no setting names others", () => {
    const slots = { blue: "a@1", green: "a@2" };
    expect(keptSlots(state("a@1", "a@2"), {})).toEqual(slots);
    expect(keptSlots(state("a@1", "a@2", "a@1"), { image: "a@3" })).toEqual(slots);
    expect(keptSlots(state("a@1", "a@2"), { blueImage: "a@3" })).toEqual({ green: "a@2" });
  });

  test("are none before the first up, or where exai:image has changed and no cutover is under way", () => {
    expect(keptSlots({}, {})).toEqual({});
    expect(keptSlots(state("a@1", "a@1", "a@1"), { image: "a@2" })).toEqual({});
    expect(keptSlots(state("a@1", "a@1"), { image: "a@2" })).toEqual({});
    expect(keptSlots(state("a@1", "a@1", "a@1"), { image: "a@1" })).toEqual({});
  });

  test("are in any case that of the slot that a rollout does not deploy", () => {
    const before = state("a@1", "a@1", "a@1");
    expect(keptSlots(before, { image: "a@9", greenImage: "a@2" }, true)).toEqual({ blue: "a@1" });
  });

  test("are those of both slots after a second cutover to one image, as a rotation makes it", () => {
    const slots = { blue: "a@2", green: "a@2" };
    expect(keptSlots(state("a@2", "a@2", "a@1"), { image: "a@1" })).toEqual(slots);
    expect(keptSlots(state("a@2", "a@2", "a@1"), { image: "a@1", greenImage: "a@2" })).toEqual({ blue: "a@2" });
    // The release came with the deployment, and stands in no file.
    expect(keptSlots(state("a@1", "a@1", "a@1"), {})).toEqual({ blue: "a@1", green: "a@1" });
  });
});

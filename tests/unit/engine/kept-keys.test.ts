import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Secret } from "../../../contract/graph.ts";
import { GeneratedSecrets } from "../../../components/secrets/generated.ts";
import { opensRemoteData } from "../../../platforms/pulumi/down.ts";
import { plainSource } from "../../../stacks/settings/source.ts";
import { parseSettings } from "../../../stacks/settings.ts";
import { PROD_SETTINGS } from "../../support/prod-settings.ts";
import { readRecords } from "../../../stacks/records.ts";
import { capture, captureProgram } from "../../../synth/capture.ts";

const REMOTE = { backupRepository: "s3:https://backups.example.com/exai" };

/** Names of the generated secrets that the engine refuses to delete. */
async function protectedSecrets(stack: string, settings: Readonly<Record<string, string>> = {}) {
  const { resources } = await capture(stack, plainSource(settings));
  return resources
    .filter(({ type, options }) => type.endsWith(":RandomPassword") && options.protect)
    .map(({ name }) => name)
    .sort();
}

describe("generated secrets are protected as long as there is data that they open", () => {
  const all = (...names: string[]) => names.map((name) => `generated-${name}`);

  test("local: with its volumes", async () => {
    expect(await protectedSecrets("local")).toEqual(
      all("backups", "grafana", "jwt", "postgres", "postgres-monitor", "postgres-server", "storage"),
    );
    expect(await protectedSecrets("local", { protectData: "false" })).toEqual([]);
  });

  test.each(["staging", "prod"])("%s: with its database and the volume of its backups", async (stack) => {
    expect(await protectedSecrets(stack, PROD_SETTINGS)).toEqual(all("backups", "database", "grafana", "jwt"));
  });

  test("without protection: only the key of a repository that is not part of the stack", async () => {
    const settings = { ...PROD_SETTINGS, protectData: "false" };
    expect(await protectedSecrets("staging", settings)).toEqual([]);
    expect(await protectedSecrets("staging", { ...settings, ...REMOTE })).toEqual(all("backups"));
  });

  test("down with its volumes keeps only the key of a repository that is not part of the stack", () => {
    const urn = (name: string) =>
      `urn:pulumi:prod::exai::random:index/randomPassword:RandomPassword::generated-${name}`;
    const remote = parseSettings("prod", plainSource({ ...PROD_SETTINGS, ...REMOTE }));
    expect(["backups", "database"].filter((name) => opensRemoteData(urn(name), remote))).toEqual(["backups"]);
    expect(opensRemoteData(urn("backups"), parseSettings("prod", plainSource(PROD_SETTINGS)))).toBe(false);
    expect(opensRemoteData(urn("backups"), parseSettings("local", plainSource({})))).toBe(false);
  });
});

describe("the secrets that a local stack keeps with its data", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "exai-kept-"));
  });
  afterEach(() => {
    rmSync(home, { recursive: true });
  });
  const records = async () => readRecords(parseSettings("local", plainSource({ homeDirectory: home })));

  test("are read by the engine's program, and none are on a new machine", async () => {
    expect((await records()).secrets).toEqual({});
    writeFileSync(join(home, "secrets.json"), JSON.stringify({ "generated-backups": "kept" }));
    expect((await records()).secrets).toEqual({ "generated-backups": "kept" });
  });

  test("are not replaced by new ones if the file is damaged", async () => {
    for (const text of ["{", '{"generated-backups": 1}']) {
      writeFileSync(join(home, "secrets.json"), text);
      await expect(records()).rejects.toThrow(/holds the state of the local stack, and has not been changed/);
    }
  });

  test("win over generated ones, and stay secret", async () => {
    const { outputs } = await captureProgram("local", () => {
      const secrets = new GeneratedSecrets("generated", { names: ["a"], kept: { "generated-a": "kept" } });
      return Promise.resolve({ a: secrets.get("a") });
    });
    expect(outputs.a).toBeInstanceOf(Secret);
    expect((outputs.a as Secret).value).toBe("kept");
  });
});

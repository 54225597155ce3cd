import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SettingsRotationStore } from "../../platforms/pulumi/jwt-keys.ts";
import { keyId } from "../../contract/jwt.ts";
import { Engine } from "../../platforms/pulumi/engine.ts";
import { deploying, ended, startedRotation } from "../../operations/secrets/rotation.ts";
import { engineMissing, loggedOut } from "./support.ts";

const OLD = "old-key-of-at-least-thirty-two-bytes";

describe.skipIf(engineMissing())("the keys in a stack file, by the real CLI", () => {
  let login: ReturnType<typeof loggedOut>;
  let root: string;
  beforeAll(() => {
    login = loggedOut();
    root = join(login.folder, "project");
    mkdirSync(join(root, "policies"), { recursive: true });
    writeFileSync(join(root, "Pulumi.yaml"), "name: exai\nruntime: nodejs\n");
    process.env.PULUMI_CONFIG_PASSPHRASE = "a passphrase";
  });
  afterAll(() => {
    login.remove();
  });

  const open = () =>
    Engine.open({ root, stack: "keys", folder: join(root, ".engine"), ownBackend: join(login.folder, "backend") });
  const file = () => readFileSync(join(root, "Pulumi.keys.yaml"), "utf8");

  test("are encrypted, rotate, and never appear in plain text", async () => {
    writeFileSync(
      join(root, "Pulumi.keys.yaml"),
      "# The team's own words.\nconfig:\n  exai:hostname: exai.example.com\n",
    );
    await (await open()).configure({ jwtSecret: OLD }, { secret: true });
    const store = new SettingsRotationStore("keys", {
      read: async () => (await open()).config(),
      set: async (values, options) => (await open()).configure(values, options),
    });
    expect(await store.read()).toBeUndefined();

    const kids = await store.prepare();
    expect(kids.current).toBe(keyId(OLD));
    const start = { id: "r", startedAt: "2026-01-01T00:00:00Z", by: "a@b", reason: "", kids, lifetimeSeconds: 60 };
    const rotation = deploying(startedRotation(start), "green", "current+next");
    await store.write(rotation);
    expect(await store.read()).toEqual(rotation);
    const { jwtSecretNext = "", ...config } = await (await open()).config();
    expect(keyId(jwtSecretNext)).toBe(kids.next);
    expect(config).toMatchObject({ jwtSecret: OLD, blueJwtKeys: "current", greenJwtKeys: "current+next" });
    expect(file()).toContain("exai:hostname: exai.example.com");
    for (const key of [OLD, jwtSecretNext]) expect(file()).not.toContain(key);

    const done = ended({ ...rotation, phase: "settle" }, "2026-01-02T00:00:00Z");
    await store.settle(done, "next");
    // Killed before the record said so, it is settled once more.
    await store.settle(done, "next");
    expect(await (await open()).config()).toEqual({
      hostname: "exai.example.com",
      jwtSecret: jwtSecretNext,
      jwtRotation: JSON.stringify(done),
    });
    expect(file()).not.toContain(jwtSecretNext);
  });
});

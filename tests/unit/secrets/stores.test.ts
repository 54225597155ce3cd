import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SettingsRotationStore, type StackConfig } from "../../../platforms/pulumi/jwt-keys.ts";
import { jwtSettings, FileRotationStore } from "../../../platforms/compose/jwt-keys.ts";
import { FileState } from "../../../platforms/compose/state.ts";
import { jwtSecrets } from "../../../components/server/environment.ts";
import { SLOTS, otherSlot, type Slot } from "../../../contract/slots.ts";
import { keyId, type JwtKeySet } from "../../../contract/jwt.ts";
import {
  advanced,
  deployed,
  deploying,
  ended,
  nextStep,
  startedRotation,
  type Rotation,
} from "../../../operations/secrets/rotation.ts";
import type { RotationStore } from "../../../operations/secrets/store.ts";
import { plainSource } from "../../../stacks/settings/source.ts";

/** Thrown by a store that is killed before one of its writes. */
class Killed extends Error {}

/** A stack's settings, and the files of a slot that result from them. */
interface World {
  readonly store: RotationStore;
  /** Settings as the program sees them. */
  settings(): Promise<Readonly<Record<string, string>>>;
  /** The key that the program generates, where no setting gives one. */
  readonly generated: string;
}

async function slotFiles(world: World, slot: Slot): Promise<Readonly<Record<string, unknown>>> {
  const settings = await world.settings();
  const set = (settings[`${slot}JwtKeys`] ?? "current") as JwtKeySet;
  const secrets = jwtSecrets(set, { current: settings.jwtSecret ?? world.generated, next: settings.jwtSecretNext });
  return Object.fromEntries(Object.entries(secrets).filter(([, value]) => value !== undefined));
}

/** A whole rotation through a store; returns what each slot was deployed with. */
async function rotate(world: World): Promise<readonly string[]> {
  const kids = await world.store.prepare();
  let rotation: Rotation = startedRotation({
    id: "r",
    startedAt: "2026-01-01T00:00:00Z",
    by: "a@b",
    reason: "",
    kids,
    lifetimeSeconds: 1,
  });
  await world.store.write(rotation);
  const said: string[] = [];
  let active: Slot = "blue";
  const beside = async (slot: Slot, work: () => Promise<void>) => {
    const before = await slotFiles(world, otherSlot(slot));
    await work();
    // A slot that is not deployed keeps the files that it runs with, so an `up` leaves it alone.
    expect(await slotFiles(world, otherSlot(slot))).toEqual(before);
  };
  for (;;) {
    const step = nextStep(rotation, active, Date.parse("2027-01-01"));
    if (step.type === "cutover") {
      const { slot, keys } = step;
      rotation = deploying(rotation, slot, keys);
      await beside(slot, () => world.store.write(rotation));
      said.push(`${slot} ${Object.keys(await slotFiles(world, slot)).join("+")}`);
      rotation = deployed(rotation, slot);
      await world.store.write(rotation);
      active = slot;
    } else if (step.type === "settle") {
      rotation = advanced(rotation, "settle", "");
      await world.store.write(rotation);
      const before = await Promise.all(SLOTS.map((slot) => slotFiles(world, slot)));
      await world.store.settle(ended(rotation, "2027-01-01T00:00:00Z"), rotation.target);
      expect(await Promise.all(SLOTS.map((slot) => slotFiles(world, slot)))).toEqual(before);
      return said;
    } else if (step.type !== "wait" && step.type !== "done") {
      rotation = advanced(rotation, step.type, "2026-01-01T00:00:00Z");
      await world.store.write(rotation);
    } else throw new Error(`unexpected ${step.type}`);
  }
}

const DEPLOYED = [
  "green jwtSecret+jwtSecretNext",
  "blue jwtSecret+jwtSecretPrevious",
  "green jwtSecret+jwtSecretPrevious",
  "blue jwtSecret",
  "green jwtSecret",
];

describe("the keys of a local stack", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "exai-keys-"));
  });
  afterEach(() => {
    rmSync(home, { recursive: true, force: true });
  });
  const source = (values: Readonly<Record<string, string>> = {}) => plainSource(values);
  const world = (): World => {
    const state = new FileState(home, "exai");
    return {
      store: new FileRotationStore(state, source()),
      settings: () => Promise.resolve(jwtSettings(new FileState(home, "exai"), source())),
      generated: state.password("generated-jwt", 48),
    };
  };

  it("go from one key to the next, twice, and only deployed slots change", async () => {
    const first = world();
    expect(await rotate(first)).toEqual(DEPLOYED);
    const { jwtSecret } = await first.settings();
    expect(jwtSecret).toHaveLength(48);
    expect(jwtSecret).not.toBe(first.generated);
    expect(await rotate(world())).toEqual(DEPLOYED);
    expect((await world().settings()).jwtSecret).not.toBe(jwtSecret);
  });

  it("are readable only for their owner, and the record contains none of them", async () => {
    const { store, generated } = world();
    await rotate(world());
    const record = readFileSync(join(home, "rotation.json"), "utf8");
    const keys = JSON.parse(readFileSync(join(home, "secrets.json"), "utf8")) as Record<string, string>;
    for (const key of [generated, ...Object.values(keys)]) expect(record).not.toContain(key);
    expect((await store.read())?.kids.current).toBe(keyId(generated));
    for (const name of ["secrets.json", "rotation.json"]) expect(statSync(join(home, name)).mode & 0o077).toBe(0);
  });

  it("of the stack file are not touched", () => {
    const given = source({ jwtSecret: "0123456789abcdef0123456789abcdef" });
    expect(() => new FileRotationStore(new FileState(home, "exai"), given).prepare()).toThrow("is in the stack file");
    expect(jwtSettings(new FileState(home, "exai"), given)).toEqual({});
  });
});

describe("the keys of a stack whose settings the engine keeps", () => {
  /** Settings in memory that are killed before write number `kill`. */
  function settingsWorld(values: Record<string, string>, kill = Infinity): World & { writes: number } {
    const config: StackConfig = {
      read: () => Promise.resolve({ ...values }),
      set: (changes) => {
        for (const [key, value] of Object.entries(changes)) {
          if (result.writes >= kill) return Promise.reject(new Killed());
          result.writes += 1;
          if (value === undefined) Reflect.deleteProperty(values, key);
          else values[key] = value;
        }
        return Promise.resolve();
      },
    };
    const result = {
      store: new SettingsRotationStore("prod", config),
      settings: () => Promise.resolve({ ...values }),
      generated: "generated-key-of-thirty-two-bytes",
      writes: 0,
    };
    return result;
  }

  it("go from one key to the next", async () => {
    const values: Record<string, string> = { jwtSecret: "0123456789abcdef0123456789abcdef" };
    expect(await rotate(settingsWorld(values))).toEqual(DEPLOYED);
    expect(Object.keys(values).sort()).toEqual(["jwtRotation", "jwtSecret"]);
    expect(values.jwtSecret).not.toBe("0123456789abcdef0123456789abcdef");
    expect(values.jwtRotation).not.toContain(values.jwtSecret);
  });

  it("go from a generated key to the next", async () => {
    expect(await rotate(settingsWorld({}))).toEqual(DEPLOYED);
  });

  it("are refused during a manual rotation", async () => {
    await expect(settingsWorld({ jwtSecretPrevious: "x" }).store.prepare()).rejects.toThrow("manual rotation");
  });

  it("are settled after a kill before any of the writes", async () => {
    const before = {
      jwtSecret: "old-key-of-at-least-thirty-two-bytes",
      jwtSecretNext: "new-key-of-at-least-thirty-two-bytes",
      blueJwtKeys: "next",
      greenJwtKeys: "next",
    };
    const record = startedRotation({
      ...{ id: "r", startedAt: "2026-01-01T00:00:00Z", by: "a@b", reason: "", kids: {}, lifetimeSeconds: 1 },
    });
    const done = ended({ ...record, phase: "settle" }, "2027-01-01T00:00:00Z");
    for (let kill = 0; kill < 6; kill += 1) {
      const values: Record<string, string> = { ...before, jwtRotation: JSON.stringify({ ...record, phase: "settle" }) };
      const world = settingsWorld(values, kill);
      const files = await slotFiles(world, "blue");
      await world.store.settle(done, "next").catch((error: unknown) => {
        if (!(error instanceof Killed)) throw error;
        expect(JSON.parse(values.jwtRotation ?? "")).toMatchObject({ phase: "settle" });
      });
      expect(await slotFiles(world, "blue"), `killed before write ${String(kill)}`).toEqual(files);
      await settingsWorld(values).store.settle(done, "next");
      expect(values).toEqual({ jwtSecret: before.jwtSecretNext, jwtRotation: JSON.stringify(done) });
    }
  });
});

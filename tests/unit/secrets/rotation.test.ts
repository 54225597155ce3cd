import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SLOTS, otherSlot, type Slot } from "../../../contract/slots.ts";
import { keysOf, type JwtKeyName, type JwtKeySet } from "../../../contract/jwt.ts";
import {
  abortedRotation,
  advanced,
  deployed,
  deploying,
  ended,
  nextStep,
  signingKey,
  startedRotation,
  type Rotation,
} from "../../../operations/secrets/rotation.ts";

const LIFETIME = 100;
const start = () =>
  startedRotation({
    id: "r1",
    startedAt: new Date(0).toISOString(),
    by: "ada@host",
    reason: "",
    kids: {},
    lifetimeSeconds: LIFETIME,
  });
const at = (seconds: number) => new Date(seconds * 1000).toISOString();

/** Runs a rotation without errors and returns what happened. */
function run(from: Rotation, active: Slot = "blue"): readonly string[] {
  const said: string[] = [];
  let [rotation, now] = [from, 0];
  for (let turns = 0; turns < 30; turns += 1) {
    const step = nextStep(rotation, active, now * 1000);
    said.push(step.type === "cutover" ? `${step.slot}: ${step.keys}` : step.type);
    switch (step.type) {
      case "cutover":
        rotation = deployed(deploying(rotation, step.slot, step.keys), step.slot);
        active = step.slot;
        break;
      case "wait":
        now = Date.parse(step.until) / 1000;
        break;
      case "done":
        return said;
      case "settle":
        rotation = ended(rotation, at(now));
        break;
      default:
        rotation = advanced(rotation, step.type, at(now));
    }
  }
  throw new Error(`no end: ${said.join(", ")}`);
}

describe("a rotation", () => {
  it("gives both slots both keys, waits until the old tokens expire, and drops the old key", () => {
    expect(run(start())).toEqual([
      "green: current+next",
      "blue: next+current",
      "green: next+current",
      "sign",
      "wait",
      "retire",
      "blue: next",
      "green: next",
      "settle",
      "done",
    ]);
  });

  it("signs with the old key until every slot accepts the new one", () => {
    expect(signingKey(undefined)).toBe("current");
    expect(signingKey(start())).toBe("current");
    expect(signingKey(advanced(start(), "sign", at(0)))).toBe("next");
    expect(signingKey(ended(start(), at(0)))).toBe("current");
  });

  it("drops the new key at once if it is aborted before that key has signed", () => {
    const half = deployed(deploying(start(), "green", "current+next"), "green");
    const aborted = abortedRotation(half);
    expect(aborted).toMatchObject({ target: "current", phase: "retire" });
    expect(run(aborted ?? start(), "green")).toEqual(["blue: current", "green: current", "settle", "done"]);
  });

  it("replaces the new key like any other if it is aborted after that key has signed", () => {
    const retiring: Rotation = {
      ...advanced(start(), "sign", at(0)),
      phase: "retire",
      wanted: { blue: "next+current", green: "next" },
      running: { blue: "next+current", green: "next" },
    };
    expect(run(abortedRotation(retiring) ?? start(), "green")).toEqual([
      "blue: next+current",
      "green: current+next",
      "blue: current+next",
      "sign",
      "wait",
      "retire",
      "green: current",
      "blue: current",
      "settle",
      "done",
    ]);
  });

  it("cannot be aborted once the settings drop the old key", () => {
    expect(abortedRotation({ ...start(), phase: "settle" })).toBeUndefined();
  });

  it("waits again if the start of the wait is lost", () => {
    const lost = { ...advanced(start(), "sign", at(0)), signingSince: "" };
    const both = { blue: "next+current", green: "next+current" } as const;
    expect(nextStep({ ...lost, running: both }, "blue", 1e15)).toEqual({ type: "introduce" });
  });

  it.each(["age", "retire"] as const)(
    "goes back from %s while a rollback can reach a slot that signs with the old key",
    (phase) => {
      const running = { blue: "next+current", green: "current+next" } as const;
      const record: Rotation = { ...advanced(start(), "sign", at(0)), phase, running, wanted: running };
      for (const active of SLOTS) expect(nextStep(record, active, 1e15)).toEqual({ type: "introduce" });
      expect(run({ ...record, phase: "introduce" })).toEqual(
        expect.arrayContaining(["green: next+current", "sign", "wait"]),
      );
    },
  );
});

interface Turn {
  readonly type: "turn";
  readonly kill: number;
  readonly rolledBack: boolean;
  readonly crossed: boolean;
}

type Event =
  Turn | { readonly type: "time"; readonly seconds: number } | { readonly type: "rollback" | "abort" | "release" };

/**
 * The world of a rotation: what each slot really runs, who has users, and when each key has signed last. Slots sign
 * while they have users; the issuer of tokens signs with {@link signingKey}.
 */
class World {
  record = start();
  actual: Record<Slot, JwtKeySet> = { blue: "current", green: "current" };
  users = new Set<Slot>(["blue"]);
  active: Slot = "blue";
  now = 0;
  lastSigned: Partial<Record<JwtKeyName, number>> = { current: 0 };

  sign(): void {
    this.lastSigned[signingKey(this.record)] = this.now;
    for (const slot of this.users) {
      const [first] = keysOf(this.actual[slot]);
      if (first !== undefined && this.record.phase !== "done") this.lastSigned[first] = this.now;
    }
  }

  check(): void {
    this.sign();
    for (const key of ["current", "next"] as const) {
      const last = this.lastSigned[key];
      if (last === undefined || this.now - last >= LIFETIME) continue;
      for (const slot of this.users)
        expect(keysOf(this.actual[slot]), `${slot} at ${String(this.now)} s, token of ${key}`).toContain(key);
    }
  }

  meet(event: Event): void {
    switch (event.type) {
      case "turn":
        this.turn(event);
        break;
      case "time":
        this.now += event.seconds;
        break;
      case "abort":
        this.record = abortedRotation(this.record) ?? this.record;
        break;
      case "release": {
        // The idle slot is deployed with the keys that are wanted for it.
        const idle = otherSlot(this.active);
        this.actual[idle] = this.record.wanted[idle];
        this.moveUsers();
        break;
      }
      case "rollback":
        this.moveUsers();
    }
  }

  /** Moves the users to the other slot without a deployment. */
  moveUsers(): void {
    this.active = otherSlot(this.active);
    this.users = new Set([this.active]);
  }

  /**
   * One turn of the controller that is killed after some of its effects. `crossed`: a rollback happens between its first
   * write and its cutover, which is refused then.
   */
  turn({ kill, rolledBack, crossed }: Omit<Turn, "type">): void {
    let effects = 0;
    const effect = (action: () => void): boolean => {
      if (effects++ >= kill) return false;
      action();
      this.check();
      return true;
    };
    const step = nextStep(this.record, this.active, this.now * 1000);
    switch (step.type) {
      case "cutover": {
        const { slot, keys } = step;
        expect(slot).toBe(otherSlot(this.active));
        if (!effect(() => (this.record = deploying(this.record, slot, keys)))) break;
        if (crossed) {
          this.moveUsers();
          break;
        }
        const all = effect(() => (this.actual[slot] = this.record.wanted[slot])) && effect(() => this.users.add(slot));
        if (!all || rolledBack) {
          this.users = new Set([this.active]);
          break;
        }
        if (
          !effect(() => {
            this.active = slot;
            this.users = new Set([slot]);
          })
        )
          break;
        effect(() => (this.record = deployed(this.record, slot)));
        break;
      }
      case "wait":
      case "done":
        break;
      case "settle":
        effect(() => (this.record = advanced(this.record, "settle", at(this.now))));
        break;
      default:
        effect(() => (this.record = advanced(this.record, step.type, at(this.now))));
    }
  }
}

/** A turn in which nothing goes wrong. */
const WHOLE: Turn = { type: "turn", kill: 99, rolledBack: false, crossed: false };

/** Turns until every slot signs with the new key, and the wait has begun. */
const AGED: readonly Event[] = [WHOLE, WHOLE, WHOLE, WHOLE];

/** Orders that a rotation once failed at: rollbacks of which the record that is looked at next says nothing. */
const FOUND: readonly (readonly Event[])[] = [
  [...AGED, { type: "time", seconds: LIFETIME }, WHOLE, { type: "rollback" }, WHOLE],
  [
    ...[...AGED, { type: "time", seconds: LIFETIME / 2 } as const],
    ...([{ type: "rollback" }, { type: "rollback" }, { type: "time", seconds: LIFETIME / 2 }] as const),
    ...[WHOLE, WHOLE, WHOLE],
  ],
];

const events: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("turn" as const),
      kill: fc.integer({ min: 0, max: 6 }),
      rolledBack: fc.boolean(),
      crossed: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("time" as const), seconds: fc.nat(150) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom("rollback" as const, "abort" as const, "release" as const) }),
  },
);

describe("for any order of turns, kills, rollbacks, releases, aborts and times", () => {
  it("no slot with users rejects an unexpired token", () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 60 }), (list) => {
        const world = new World();
        for (const event of list) {
          world.meet(event);
          world.check();
        }
      }),
      { numRuns: 3000, examples: FOUND.map((list) => [[...list]]) },
    );
  });

  it("ends if nothing disturbs it", () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 30 }), (list) => {
        const world = new World();
        for (const event of list) world.meet(event);
        for (let turns = 0; turns < 30 && world.record.phase !== "settle"; turns += 1) {
          world.turn(WHOLE);
          world.now += LIFETIME;
        }
        expect(world.record.phase).toBe("settle");
        const target = world.record.target;
        for (const slot of SLOTS) expect(world.actual[slot]).toBe(target);
      }),
    );
  });
});

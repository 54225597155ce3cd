import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applySchema, cutoverSchema, rollbackSchema, type Release } from "../../../operations/schema/decide.ts";
import { parseRange, rangeOfLabels } from "../../../operations/schema/range.ts";
import {
  expandable,
  expanded,
  floor,
  level,
  type SchemaMigration,
  type SchemaState,
} from "../../../operations/schema/state.ts";

const version = (number: number) => `2026110109${String(number).padStart(4, "0")}`;

/** `e` and `c` by number; what is applied stands before the bar: `e1 c2 | e3`. */
function schema(text: string): SchemaState {
  const side = (part: string): readonly SchemaMigration[] =>
    part
      .split(" ")
      .filter(Boolean)
      .map((word) => ({
        version: version(Number(word.slice(1))),
        name: word,
        kind: word.startsWith("c") ? "contract" : "expand",
      }));
  const [applied = "", pending = ""] = text.split("|");
  return { applied: side(applied), pending: side(pending) };
}

function release(min?: number, max?: number): Release {
  const range =
    min === undefined && max === undefined
      ? undefined
      : {
          ...(min === undefined ? {} : { min: version(min) }),
          ...(max === undefined ? {} : { max: version(max) }),
        };
  return { slot: "green", image: "server:2", range };
}

describe("a cutover", () => {
  const cut = (state: string, candidate: Release) => cutoverSchema(schema(state), candidate, "refuse");

  it("expands up to the first contract migration and leaves the rest", () => {
    const { verdict, expand, later } = cut("e1 | e2 e3 c4 e5", release(3, 3));
    expect(verdict).toEqual({ allowed: true, notes: [] });
    expect(expand.map(({ name }) => name)).toEqual(["e2", "e3"]);
    expect(later.map(({ name }) => name)).toEqual(["c4", "e5"]);
  });

  it("refuses a release that needs what no file has", () => {
    const { verdict } = cut("e1 | e2", release(9));
    expect(verdict).toMatchObject({ allowed: false, fix: expect.stringContaining("git pull") as string });
  });

  it("says which contract migration stands before what a release needs", () => {
    const { verdict } = cut("e1 | c2 e3", release(3));
    expect(verdict).toMatchObject({ allowed: false, fix: expect.stringContaining("./exai migrate apply") as string });
    expect(verdict).toMatchObject({ fix: expect.stringContaining("_c2") as string });
  });

  it("lets a release run on later expand migrations, and refuses it on a later contract one", () => {
    expect(cut("e1 e2 e3 |", release(1, 2)).verdict.allowed).toBe(true);
    const { verdict } = cut("e1 e2 c3 |", release(1, 2));
    expect(verdict).toMatchObject({ allowed: false, problem: expect.stringContaining("_c3") as string });
  });

  it("treats a release without labels as the setting says", () => {
    expect(cutoverSchema(schema("e1 |"), release(), "refuse").verdict.allowed).toBe(false);
    const { verdict } = cutoverSchema(schema("e1 |"), release(), "warn");
    expect(verdict).toMatchObject({ allowed: true, notes: [expect.stringContaining("does not say")] });
  });
});

describe("a rollback", () => {
  const back = (state: string, target: Release, unlabelled: "warn" | "refuse" = "refuse") =>
    rollbackSchema(schema(state), target, { ...release(1), slot: "blue" }, unlabelled);

  it("is refused when a contract migration has passed the old release, with the two ways on", () => {
    expect(back("e1 c2 |", release(1, 1))).toMatchObject({
      allowed: false,
      problem: expect.stringMatching(/moved past server:2 .*_c2.*blue keeps the users/) as string,
      fix: expect.stringMatching(/exai\.schema\.max is at least \d{12}02.*--accept-schema/) as string,
    });
  });

  it("is allowed after any number of expand migrations", () => {
    expect(back("e1 e2 e3 e4 |", release(1, 1)).allowed).toBe(true);
  });

  it("is never refused for want of labels, but says what is not known", () => {
    expect(back("e1 c2 |", release(), "warn")).toMatchObject({
      allowed: true,
      notes: [expect.stringContaining("_c2")],
    });
  });
});

describe("migrate apply", () => {
  const active: Release = { slot: "green", image: "server:2", range: { max: version(9) } };
  const other: Release = { slot: "blue", image: "server:1", range: { max: version(1) } };

  it("refuses a contract migration while a standby is warm, naming image and command", () => {
    expect(applySchema(schema("e1 | e2 c3"), { active, other, state: "standby" }, "warn")).toMatchObject({
      allowed: false,
      problem: expect.stringContaining("server:1 in blue is warm") as string,
      fix: expect.stringMatching(/rollout finish.*migrate apply.*--expand/) as string,
    });
  });

  it("refuses one while a rollout runs", () => {
    expect(applySchema(schema("e1 | c3"), { active, other, state: "shift 25 %" }, "warn")).toMatchObject({
      allowed: false,
      problem: expect.stringContaining("shift 25 %") as string,
    });
  });

  it("refuses one that the release with the users does not know", () => {
    expect(applySchema(schema("e1 | c3"), { active: other, state: "idle" }, "warn")).toMatchObject({
      allowed: false,
      fix: expect.stringContaining(`at least ${version(3)}`) as string,
    });
    expect(applySchema(schema("e1 | c3"), { active, state: "idle" }, "warn").allowed).toBe(true);
  });

  it("has nothing against expand migrations, nor against anything on an empty database", () => {
    expect(applySchema(schema("e1 | e2"), { active: other, other: active, state: "standby" }, "refuse").allowed).toBe(
      true,
    );
    expect(applySchema(schema("| e1 c2"), { active: other, other, state: "standby" }, "refuse").allowed).toBe(true);
  });
});

describe("for any schema and releases", () => {
  const word = fc.record({ contract: fc.boolean() });
  const states = fc.tuple(fc.array(word, { maxLength: 8 }), fc.nat(8)).map(([words, applied]) => {
    const migrations = words.map(({ contract }, index) => `${contract ? "c" : "e"}${index + 1}`);
    const cut = Math.min(applied, migrations.length);
    return schema(`${migrations.slice(0, cut).join(" ")} | ${migrations.slice(cut).join(" ")}`);
  });
  const ends = fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined });
  const releases = fc.tuple(ends, ends).map(([a, b]) => {
    const [min, max] = a !== undefined && b !== undefined && a > b ? [b, a] : [a, b];
    return release(min, max);
  });

  it("expanding applies no contract migration and keeps the order", () => {
    fc.assert(
      fc.property(states, (state) => {
        const after = expanded(state);
        expect(floor(after)).toBe(floor(state));
        expect(level(after) >= level(state)).toBe(true);
        expect([...after.applied, ...after.pending]).toEqual([...state.applied, ...state.pending]);
        expect(expandable(after)).toEqual([]);
      }),
    );
  });

  it("a way back stays open: what ran before a cutover's expansion may be rolled back to after it", () => {
    fc.assert(
      fc.property(states, releases, releases, (state, old, candidate) => {
        fc.pre(rollbackSchema(state, old, undefined, "refuse").allowed);
        fc.pre(cutoverSchema(state, candidate, "warn").verdict.allowed);
        expect(rollbackSchema(expanded(state), old, undefined, "refuse").allowed).toBe(true);
      }),
    );
  });

  it("what a cutover admits works on the schema that results", () => {
    fc.assert(
      fc.property(states, releases, (state, candidate) => {
        const { verdict } = cutoverSchema(state, candidate, "refuse");
        const after = expanded(state);
        const { min = "", max = "9" } = candidate.range ?? {};
        const works = candidate.range !== undefined && min <= level(after) && floor(after) <= max;
        expect(verdict.allowed).toBe(works);
      }),
    );
  });

  it("migrate apply never lets a contract migration pass under a release that may get users and does not know it", () => {
    const standings = fc.record({ active: releases, other: fc.option(releases, { nil: undefined }) });
    fc.assert(
      fc.property(states, standings, (state, { active, other }) => {
        fc.pre(state.applied.length > 0);
        const standing = other === undefined ? { active, state: "idle" } : { active, other, state: "standby" };
        if (!applySchema(state, standing, "refuse").allowed) return;
        const all: SchemaState = { applied: [...state.applied, ...state.pending], pending: [] };
        if (floor(all) === floor(state)) return;
        for (const each of other === undefined ? [active] : [active, other])
          expect(floor(all) <= (each.range?.max ?? "9")).toBe(true);
      }),
    );
  });
});

describe("a declared range", () => {
  const labels = (min: string, max: string) => ({ "exai.schema.min": min, "exai.schema.max": max });

  it("comes from the labels, and empty ones declare nothing", () => {
    expect(rangeOfLabels("i", labels(version(1), version(2)))).toEqual({ min: version(1), max: version(2) });
    expect(rangeOfLabels("i", labels("", version(2)))).toEqual({ max: version(2) });
    expect(rangeOfLabels("i", labels("", ""))).toBeUndefined();
    expect(rangeOfLabels("i", {})).toBeUndefined();
  });

  it("is refused when it is none", () => {
    expect(() => rangeOfLabels("i", labels("7", ""))).toThrow('"7" is no version');
    expect(() => rangeOfLabels("i", labels(version(2), version(1)))).toThrow("is above");
    expect(() => parseRange("2026", "exai:blueSchema")).toThrow("no range");
    expect(parseRange(`..${version(2)}`, "exai:blueSchema")).toEqual({ max: version(2) });
  });
});

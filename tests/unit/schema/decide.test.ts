import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { UserError } from "../../../contract/errors.ts";
import {
  applySchema,
  cutoverSchema,
  rollbackSchema,
  type Release,
  type SchemaVerdict,
} from "../../../operations/schema/decide.ts";
import { schemaError } from "../../../operations/schema/refusal.ts";
import { parseRange, rangeOfLabels } from "../../../operations/schema/range.ts";
import {
  expandable,
  expanded,
  floor,
  level,
  type SchemaMigration,
  type SchemaState,
} from "../../../operations/schema/state.ts";
import { fixSaying } from "../../support/fix-saying.ts";

/** What a person reads of a refusal. */
function errorOf(verdict: SchemaVerdict): UserError {
  if (verdict.allowed) throw new Error("it is allowed");
  return schemaError(verdict.refusal);
}

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

  it("refuses a release that requires a migration that no file has", () => {
    const { verdict } = cut("e1 | e2", release(9));
    expect(verdict).toMatchObject({ allowed: false, refusal: { reason: "migration-missing", needs: version(9) } });
    expect(errorOf(verdict).fix).toEqual(fixSaying("git pull"));
  });

  it("names the contract migration that comes before the one a release requires", () => {
    const { verdict } = cut("e1 | c2 e3", release(3));
    expect(verdict).toMatchObject({
      allowed: false,
      refusal: { reason: "contract-pending", contract: { name: "c2" } },
    });
    expect(errorOf(verdict).fix).toEqual(fixSaying(/exai migrate apply.*_c2/));
  });

  it("allows later expand migrations and refuses later contract migrations", () => {
    expect(cut("e1 e2 e3 |", release(1, 2)).verdict.allowed).toBe(true);
    const { verdict } = cut("e1 e2 c3 |", release(1, 2));
    expect(verdict).toMatchObject({
      allowed: false,
      refusal: { reason: "contract-applied", contract: { name: "c3" } },
    });
    expect(errorOf(verdict).message).toContain("_c3");
  });

  it("handles a release without labels according to the setting", () => {
    expect(cutoverSchema(schema("e1 |"), release(), "refuse").verdict.allowed).toBe(false);
    const { verdict } = cutoverSchema(schema("e1 |"), release(), "warn");
    expect(verdict).toMatchObject({ allowed: true, notes: [{ reason: "range-undeclared" }] });
  });
});

describe("a rollback", () => {
  const back = (state: string, target: Release, unlabelled: "warn" | "refuse" = "refuse") =>
    rollbackSchema(schema(state), target, { ...release(1), slot: "blue" }, unlabelled);

  it("is refused after a contract migration that the old release does not support, with two fixes", () => {
    const verdict = back("e1 c2 |", release(1, 1));
    expect(verdict).toMatchObject({ allowed: false, refusal: { reason: "rollback-contract-applied", users: "blue" } });
    expect(errorOf(verdict).message).toMatch(/moved past server:2 .*_c2.*blue keeps the users/);
    expect(errorOf(verdict).fix).toEqual(fixSaying(/exai\.schema\.max is at least \d{12}02.*--accept-schema/));
  });

  it("is allowed after any number of expand migrations", () => {
    expect(back("e1 e2 e3 e4 |", release(1, 1)).allowed).toBe(true);
  });

  it("is not refused without labels, but has a note", () => {
    expect(back("e1 c2 |", release(), "warn")).toMatchObject({
      allowed: true,
      notes: [{ reason: "rollback-range-undeclared", contract: { name: "c2" } }],
    });
  });
});

describe("migrate apply", () => {
  const active: Release = { slot: "green", image: "server:2", range: { max: version(9) } };
  const other: Release = { slot: "blue", image: "server:1", range: { max: version(1) } };

  it("refuses a contract migration while a standby is warm, naming image and command", () => {
    const verdict = applySchema(schema("e1 | e2 c3"), { active, other, state: "standby" }, "warn");
    expect(verdict).toMatchObject({ allowed: false, refusal: { reason: "standby-warm", expandable: true } });
    expect(errorOf(verdict).message).toContain("server:1 in blue is warm");
    expect(errorOf(verdict).fix).toEqual(fixSaying(/rollout finish.*migrate apply.*--expand/));
  });

  it("refuses one while a rollout runs", () => {
    const verdict = applySchema(schema("e1 | c3"), { active, other, state: "shift 25 %" }, "warn");
    expect(verdict).toMatchObject({ allowed: false, refusal: { reason: "rollout-under-way", state: "shift 25 %" } });
    expect(errorOf(verdict).message).toContain("shift 25 %");
  });

  it("refuses one that the release with users does not support", () => {
    const verdict = applySchema(schema("e1 | c3"), { active: other, state: "idle" }, "warn");
    expect(verdict).toMatchObject({ allowed: false, refusal: { reason: "contract-unsupported", needs: version(3) } });
    expect(errorOf(verdict).fix).toEqual(fixSaying(`at least ${version(3)}`));
    expect(applySchema(schema("e1 | c3"), { active, state: "idle" }, "warn").allowed).toBe(true);
  });

  it("allows expand migrations, and everything on an empty database", () => {
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

  it("a rollback that was allowed before a cutover's expansion is allowed after it", () => {
    fc.assert(
      fc.property(states, releases, releases, (state, old, candidate) => {
        fc.pre(rollbackSchema(state, old, undefined, "refuse").allowed);
        fc.pre(cutoverSchema(state, candidate, "warn").verdict.allowed);
        expect(rollbackSchema(expanded(state), old, undefined, "refuse").allowed).toBe(true);
      }),
    );
  });

  it("a release that a cutover admits works on the resulting schema", () => {
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

  it("migrate apply never applies a contract migration that a release with users does not support", () => {
    const activeReleases = fc.record({ active: releases, other: fc.option(releases, { nil: undefined }) });
    fc.assert(
      fc.property(states, activeReleases, (state, { active, other }) => {
        fc.pre(state.applied.length > 0);
        const current = other === undefined ? { active, state: "idle" } : { active, other, state: "standby" };
        if (!applySchema(state, current, "refuse").allowed) return;
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

  it("comes from the labels, and empty labels declare nothing", () => {
    expect(rangeOfLabels("i", labels(version(1), version(2)))).toEqual({ min: version(1), max: version(2) });
    expect(rangeOfLabels("i", labels("", version(2)))).toEqual({ max: version(2) });
    expect(rangeOfLabels("i", labels("", ""))).toBeUndefined();
    expect(rangeOfLabels("i", {})).toBeUndefined();
  });

  it("is refused if it is invalid", () => {
    expect(() => rangeOfLabels("i", labels("7", ""))).toThrow('"7" is not a version');
    expect(() => rangeOfLabels("i", labels(version(2), version(1)))).toThrow("is above");
    expect(() => parseRange("2026", "exai:blueSchema")).toThrow("not a range");
    expect(parseRange(`..${version(2)}`, "exai:blueSchema")).toEqual({ max: version(2) });
  });
});

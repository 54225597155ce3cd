import { describe, expect, it } from "vitest";
import { announcementOf } from "../../../operations/notify/announcement.ts";
import type { HistoryEntry } from "../../../operations/rollout/model/journal.ts";
import { rolloutEntries } from "./entries.ts";

const told = (entries: readonly HistoryEntry[]) =>
  entries.flatMap((entry, index) => {
    const announcement = announcementOf("prod", entry, entries.slice(0, index));
    return announcement === undefined ? [] : [announcement];
  });

describe("announcements", () => {
  it("tell the start, each step and the end of a rollout, and nothing in between", () => {
    expect(
      told(rolloutEntries("prepare", "deploy", "ready", "smoke", "migrate", 25, 100, "bake", "standby", "idle")).map(
        ({ kind, title }) => [kind, title],
      ),
    ).toEqual([
      ["started", "a rollout begins: exai:2 into green"],
      ["step", "green has 25 % of the users (exai:2)"],
      ["step", "green has 100 % of the users (exai:2)"],
      ["step", "green has all users and is still watched (exai:2)"],
      ["completed", "done: green has all users (exai:2); blue stays warm"],
    ]);
  });

  it("tell that an approval is wanted, and no pause", () => {
    expect(told(rolloutEntries("prepare", 50, 50, 50, "approve", "approve", 100)).map(({ kind }) => kind)).toEqual([
      "started",
      "step",
      "approval",
      "step",
    ]);
  });

  it("tell a rollback once, with its reason and the gates' numbers, and how it ended", () => {
    const entries = rolloutEntries("prepare", 25, "rollback", "rollback", "idle");
    const verdict = {
      gate: "errors",
      verdict: "fail",
      why: "above-limit",
      figure: 0.1,
      limit: 0.01,
      unit: "share",
      test: "none",
    } as const;
    const failure = { code: "gate-failed", verdicts: [verdict] } as const;
    const failed = entries.map((entry, index) => (index === 2 ? { ...entry, failure, verdicts: [verdict] } : entry));
    expect(told(failed).slice(2)).toMatchObject([
      { kind: "rollback", failure, verdicts: [verdict], candidate: "green", stable: "blue" },
      { kind: "rolled-back", title: "rolled back: blue has all users" },
    ]);
  });

  it("tell when the stable slot did not come back", () => {
    const entries = rolloutEntries("prepare", 25, "rollback", "idle");
    const kept = entries.map((entry, index) => (index === 3 ? { ...entry, weights: { blue: 0, green: 100 } } : entry));
    expect(told(kept).at(-1)).toMatchObject({ kind: "kept", title: expect.stringContaining("green keeps") as string });
  });

  it("have an identifier that is the rollout's and the sequence", () => {
    expect(told(rolloutEntries("prepare", 25)).map(({ id }) => id)).toEqual(["r1-1", "r1-2"]);
  });
});

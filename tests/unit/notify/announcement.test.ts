import { describe, expect, it } from "vitest";
import { announcementOf } from "../../../operations/notify/announcement.ts";
import { announcementText } from "../../../operations/notify/wording.ts";
import type { HistoryEntry } from "../../../operations/rollout/model/journal.ts";
import { rolloutEntries } from "./entries.ts";

const told = (entries: readonly HistoryEntry[]) =>
  entries.flatMap((entry, index) => {
    const announcement = announcementOf("prod", entry, entries.slice(0, index));
    return announcement === undefined ? [] : [announcement];
  });

describe("announcements", () => {
  it("report the start, each step and the end of a rollout", () => {
    expect(
      told(rolloutEntries("prepare", "deploy", "ready", "smoke", "migrate", 25, 100, "bake", "standby", "idle")).map(
        (announcement) => [announcement.kind, announcementText(announcement)],
      ),
    ).toEqual([
      ["started", "rollout started: exai:2 into green"],
      ["step", "green has 25 % of the users (exai:2)"],
      ["step", "green has 100 % of the users (exai:2)"],
      ["bake", "green has all users, under gates (exai:2)"],
      ["completed", "completed: green has all users (exai:2); blue stays warm"],
    ]);
  });

  it("report that an approval is needed, but no pause", () => {
    expect(told(rolloutEntries("prepare", 50, 50, 50, "approve", "approve", 100)).map(({ kind }) => kind)).toEqual([
      "started",
      "step",
      "approval",
      "step",
    ]);
  });

  it("report a rollback once, with its failure and verdicts, and its outcome", () => {
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
      { kind: "rolled-back", stable: "blue" },
    ]);
  });

  it("report a failed rollback", () => {
    const entries = rolloutEntries("prepare", 25, "rollback", "idle");
    const kept = entries.map((entry, index) => (index === 3 ? { ...entry, weights: { blue: 0, green: 100 } } : entry));
    expect(told(kept).at(-1)).toMatchObject({ kind: "kept", candidate: "green" });
  });

  it("have an identifier of the rollout and the sequence", () => {
    expect(told(rolloutEntries("prepare", 25)).map(({ id }) => id)).toEqual(["r1-1", "r1-2"]);
  });
});

import { describe, expect, it } from "vitest";
import type { BackupRecord } from "../../../operations/backups/history.ts";
import { drillResult } from "../../../operations/dumps/commands.ts";
import { chosenDump, dumpTarget, historyOf, listedBackups, snapshotsOf } from "../../../operations/dumps/snapshots.ts";
import { fixSaying } from "../../support/fix-saying.ts";

/** As restic 0.14 writes it. */
const SNAPSHOTS = snapshotsOf(
  JSON.stringify([
    { time: "2026-11-30T03:00:00Z", tree: "t", tags: ["schedule=hourly"], id: "b".repeat(64), short_id: "bbbbbbbb" },
    { time: "2026-11-30T02:00:00.5Z", tree: "t", tags: ["schedule=daily"], id: "a".repeat(64), short_id: "aaaaaaaa" },
    { time: "2026-11-30T04:00:00+01:00", tree: "t", tags: null, id: "c".repeat(64), short_id: "cccccccc" },
  ]),
);

describe("the dump to restore", () => {
  const at = (time: string) => ({ kind: "time", at: new Date(time) }) as const;

  it.each([
    ["the newest", { kind: "latest" }, ["bbbbbbbb", "cccccccc"]],
    ["the newest that has nothing from after a time", at("2026-11-30T02:59:59Z"), ["aaaaaaaa"]],
    ["the one of exactly the time", at("2026-11-30T02:00:00.5Z"), ["aaaaaaaa"]],
    ["a named one", { kind: "backup", label: "cccccccc" }, ["cccccccc"]],
    ["one named by its whole identifier", { kind: "backup", label: "a".repeat(64) }, ["aaaaaaaa"]],
  ] as const)("is %s", (_, target, labels) => {
    expect(labels).toContain(chosenDump(SNAPSHOTS, target, "staging").label);
  });

  it.each([
    ["an empty repository", [], { kind: "latest" }, /has no dump/, /backup now staging/],
    [
      "a time before all",
      SNAPSHOTS,
      at("2026-11-30T01:00:00Z"),
      /the oldest is of 2026-11-30T02:00:00.500Z/,
      /backup list staging/,
    ],
    ["a prefix", SNAPSHOTS, { kind: "backup", label: "a" }, /has no dump a/, /backup list staging/],
  ] as const)("is not found: %s", (_, snapshots, target, message, fix) => {
    const refused = { code: "not-found", message: expect.stringMatching(message) as string, fix: fixSaying(fix) };
    expect(() => chosenDump(snapshots, target, "staging")).toThrow(expect.objectContaining(refused));
  });

  it.each([
    [{ kind: "lsn", lsn: "0/5016180" }, "--to"],
    [{ kind: "before", at: new Date(), withinMinutes: 15 }, "--before"],
  ] as const)("cannot be named by what needs the WAL: %o", (target, where) => {
    const refused = { code: "invalid-argument", where, fix: fixSaying(/restore prod --to 14:30 .*--in-place/) };
    expect(() => dumpTarget(target, "prod")).toThrow(expect.objectContaining(refused));
  });
});

describe("history and repository", () => {
  const [record] = historyOf(
    JSON.stringify([
      {
        ...{ id: "1", schedule: "daily", kind: "full", trigger: "schedule", status: "completed", label: "aaaaaaaa" },
        ...{ requestedAt: "2026-11-30T02:00:01+00:00", startedAt: "2026-11-30T02:00:01+00:00", finishedAt: null },
        ...{ sizeBytes: 12, storedBytes: 3, error: null, expiredAt: null, verification: "passed" },
      },
    ]),
  ) as [BackupRecord];

  it("are one list, newest first, which says what the repository lacks", () => {
    const lost = { ...record, id: "2", label: "dddddddd", requestedAt: new Date("2026-11-30T01:00:00Z") };
    const expired = { ...lost, id: "3", label: "eeeeeeee", expiredAt: new Date() };
    const listed = listedBackups(SNAPSHOTS, [record, lost, expired]);
    expect(listed.map(({ label, stored, kind }) => [label, stored, kind])).toEqual([
      ...[
        ["bbbbbbbb", true, "dump"],
        ["cccccccc", true, "dump"],
        ["aaaaaaaa", true, "full"],
      ],
      ...[
        ["dddddddd", false, "full"],
        ["eeeeeeee", undefined, "full"],
      ],
    ]);
  });

  it("are the repository alone while the database does not answer", () => {
    expect(listedBackups(SNAPSHOTS, []).map(({ schedule }) => schedule)).toEqual(["hourly", null, "daily"]);
  });
});

describe("what a drill has written", () => {
  const lines = [
    "2026-11-30T04:00:00Z exai-dumps: loading the dump",
    "fetch=1.5",
    "rpo=1810",
    "load=4.25",
    "proof=2.0",
  ];
  const check = "check=foreign-keys|passed|36 keys";

  it("is its result", () => {
    const text = [...lines, check, "recorded=yes", "end=proved", ""].join("\n");
    expect(drillResult(text, "prod")).toEqual({
      ...{ outcome: "passed", error: null, fetchSeconds: 1.5, replaySeconds: 4.25, proofSeconds: 2, rpoSeconds: 1810 },
      ...{ acknowledgedRows: null, restoredRows: null, recorded: true, stack: "prod" },
      checks: [{ name: "foreign-keys", status: "passed", detail: "36 keys" }],
    });
  });

  it.each([
    [
      "a failed check",
      [...lines, check, "check=row-counts|failed|public.files has 1 rows", "end=not-proved"],
      "row-counts: public.files has 1 rows",
    ],
    [
      "a dump that was not fetched",
      ["error=the dump cannot be fetched: no space left", "end=failed"],
      "the dump cannot be fetched: no space left",
    ],
    ["an end in the midst", lines.slice(0, 2), /loading the dump; fetch=1.5/],
    ["nothing", [], "it ended without a message"],
  ])("has failed with %s", (_, text, error) => {
    const result = drillResult(text.join("\n"), "prod");
    expect(result.outcome).toBe("failed");
    expect(result.error).toMatch(error);
  });
});

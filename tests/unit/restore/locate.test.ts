import { describe, expect, it } from "vitest";
import { locate, type Search } from "../../../operations/restore/locate.ts";
import {
  backupBefore,
  branches,
  segmentAt,
  storedBackups,
  storedSegments,
  type Repository,
  type StoredBackup,
} from "../../../operations/restore/repository.ts";
import { lossyStatements, meantStatement } from "../../../operations/restore/statements.ts";
import { timeOf, timeOrPosition, type RestoreTarget } from "../../../operations/restore/target.ts";
import { loggedCommits, type LoggedCommit } from "../../../operations/restore/wal.ts";

const minute = (count: number) => new Date(Date.UTC(2026, 10, 29, 12, count));
const segment = (number: number, timeline = 1) => {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
  return `${hex(timeline)}00000000${hex(number)}`;
};
const backup = (label: string, number: number, timeline = 1): StoredBackup => ({
  ...{ label, startedAt: minute(number), stoppedAt: minute(number), sizeBytes: 1 },
  ...{ walStart: segment(number, timeline), walStop: segment(number, timeline) },
  lsnStop: `0/${number.toString(16)}000100`,
});
/** One commit in the middle of each minute; minute n is in segment n, which is archived at its end. */
const commit = (number: number, timeline = 1): LoggedCommit => ({
  ...{ timeline, lsn: `0/${number.toString(16)}000500`, at: new Date(minute(number).getTime() + 30_000) },
  ...{ transaction: 700 + number, dropped: [], created: 0, deleted: new Map() },
});
const repository: Repository = {
  backups: [backup("first", 2), backup("second", 6)],
  segments: Array.from({ length: 10 }, (_, number) => ({ name: segment(number), archivedAt: minute(number + 1) })),
  histories: new Map(),
};

/** Reads what the segments have, and remembers which they were. */
async function found(target: RestoreTarget, from: Repository = repository) {
  const search: Search = locate(from, target);
  const read: string[] = [];
  const located = await search.scan((segments) => {
    read.splice(0, read.length, ...segments);
    return Promise.resolve(segments.map((name) => commit(Number.parseInt(name.slice(-2), 16))));
  });
  return { ...located, read };
}

describe("the place of a restore's target", () => {
  it("is before the first commit after a time, from the newest backup before it", async () => {
    const { backup: chosen, goal, read } = await found({ kind: "time", at: minute(8) });
    expect(chosen.label).toBe("second");
    expect(goal).toEqual({ lsn: "0/8000500", inclusive: false });
    expect(read.length).toBeLessThan(5);
    expect((await found({ kind: "time", at: minute(5) })).backup.label).toBe("first");
  });

  it("is the last commit if the archive ends before the time, or if none is named", async () => {
    const goal = { lsn: "0/9000500", inclusive: true };
    expect((await found({ kind: "time", at: minute(30) })).goal).toEqual(goal);
    expect((await found({ kind: "latest" })).goal).toEqual(goal);
  });

  it("is a position on the timeline that has it, or the end of a backup", async () => {
    expect(await found({ kind: "lsn", lsn: "0/4000500" })).toMatchObject({ backup: { label: "first" }, timeline: 1 });
    const { goal } = await found({ kind: "backup", label: "second" });
    expect(goal).toEqual({ lsn: "0/6000100", inclusive: true });
  });

  it.each<[string, RestoreTarget]>([
    ["before the first backup", { kind: "time", at: minute(1) }],
    ["outside of the archive", { kind: "lsn", lsn: "0/F000000" }],
    ["an unknown backup", { kind: "backup", label: "third" }],
    ["a time without a statement", { kind: "before", at: minute(8), withinMinutes: 1 }],
  ])("is refused: %s", async (_, target) => {
    await expect(found(target)).rejects.toMatchObject({ code: "not-found" });
  });

  it("is searched in all segments of the time, however many they are", async () => {
    const segments = Array.from({ length: 120 }, (_, number) => ({
      name: segment(number),
      archivedAt: minute(number + 1),
    }));
    const read: string[] = [];
    const search = locate({ ...repository, segments }, { kind: "before", at: minute(60), withinMinutes: 50 });
    const { goal } = await search.scan((names) => {
      read.push(...names);
      return Promise.resolve([{ ...commit(100), dropped: ["1/2"] }]);
    });
    expect(read.length).toBeGreaterThan(100);
    expect(goal).toEqual({ lsn: commit(100).lsn, inclusive: false });
  });

  it("is not reached from a backup on a branch that its timeline left before", () => {
    const branched = { ...repository, backups: [backup("kept", 2), backup("abandoned", 6)] };
    const histories = new Map([[2, branches("1\t0/4000000\tbefore 2026-11-29\n")]]);
    expect(backupBefore({ ...branched, histories }, 2, "0/8000000")?.label).toBe("kept");
    expect(backupBefore({ ...branched, histories }, 1, "0/8000000")?.label).toBe("abandoned");
  });
});

describe("a statement that took rows away", () => {
  const lossy = (more: Partial<LoggedCommit>): LoggedCommit => ({ ...commit(3), ...more });
  const tables: Readonly<Record<string, string>> = { "5/1": "public.a", "5/2": "public.b" };
  const read = (commits: readonly LoggedCommit[], fate: "gone" | "empty" | "kept", wanted: readonly string[] = []) =>
    lossyStatements(
      commits,
      (file) => tables[file],
      () => fate,
      wanted,
    );

  it("is a drop, a truncate or a delete; a table that is rewritten keeps its rows", () => {
    const dropped = [lossy({ dropped: ["5/1", "5/9"] })];
    expect(read(dropped, "gone")).toMatchObject([{ kind: "drop", tables: ["public.a"] }]);
    expect(read(dropped, "empty")).toMatchObject([{ kind: "truncate" }]);
    expect(read(dropped, "kept")).toEqual([]);
    const deleted = [lossy({ deleted: new Map([["5/2", 7]]) })];
    expect(read(deleted, "kept")).toMatchObject([{ kind: "delete", tables: ["public.b"], rows: 7 }]);
    expect(read(deleted, "kept", ["public.a"])).toEqual([]);
  });

  it("is meant if it is the only drop, or the only delete", () => {
    const drop = lossy({ dropped: ["5/1"] });
    const deletion = lossy({ deleted: new Map([["5/2", 7]]) });
    expect(meantStatement(read([deletion, drop, deletion], "gone"))?.kind).toBe("drop");
    expect(meantStatement(read([deletion], "gone"))?.kind).toBe("delete");
    expect(meantStatement(read([deletion, deletion], "gone"))).toBeUndefined();
  });
});

describe("what the tools print", () => {
  it("is read: transactions of exai-wal", () => {
    expect(loggedCommits("1\t0/6063180\t2026-11-29 16:18:23.521120\t785\t5/1,5/2\t3\t5/16432=11,5/7=1\n")).toEqual([
      {
        ...{ timeline: 1, lsn: "0/6063180", at: new Date("2026-11-29T16:18:23.521Z"), transaction: 785 },
        ...{ dropped: ["5/1", "5/2"], created: 3, deleted: new Map([["5/16432", 11], ["5/7", 1]]) }, // prettier-ignore
      },
    ]);
  });

  it("is read: backups without damaged pages, and segments by the time of their archiving", () => {
    const info = (label: string, error: boolean) => ({
      ...{ label, error, archive: { start: "A", stop: "B" }, lsn: { stop: "0/1" }, timestamp: { start: 1, stop: 2 } },
      info: { size: 3 },
    });
    expect(storedBackups(JSON.stringify([{ backup: [info("x", false), info("y", true)] }]))).toMatchObject([
      { label: "x", stoppedAt: new Date(2000) },
    ]);
    const path = (name: string) => `exai/15-1/0000000100000000/${name}-${"a".repeat(40)}.zst`;
    const list = {
      [path(segment(2))]: { time: 9 },
      [path(segment(3))]: { time: 8 },
      "exai/15-1/x.backup": { time: 1 },
    };
    expect(storedSegments(JSON.stringify(list)).map(({ name }) => name)).toEqual([segment(3), segment(2)]);
    expect(segmentAt("1/2A000028")).toBe("000000010000002A");
  });
});

describe("a time on the command line", () => {
  const now = new Date("2026-11-29T14:00:00Z");
  it.each([
    ["14:30", "2026-11-28T14:30:00.000Z"],
    ["13:59:30", "2026-11-29T13:59:30.000Z"],
    ["2026-11-29 14:00+02:00", "2026-11-29T12:00:00.000Z"],
  ])("%s is %s", (text, expected) => {
    expect(timeOf(text, "--to", now).toISOString()).toBe(expected);
  });

  it("may be a position, and is refused if it is neither, or in the future", () => {
    expect(timeOrPosition("0/5016abc", now)).toEqual({ kind: "lsn", lsn: "0/5016ABC" });
    expect(() => timeOrPosition("yesterday", now)).toThrow(/cannot be read as a time/);
    expect(() => timeOrPosition("2026-11-30T14:00Z", now)).toThrow(/future/);
  });
});

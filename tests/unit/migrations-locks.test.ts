import { describe, expect, it } from "vitest";
import { stepText } from "../../cli/format/step.ts";
import type { LockBlocker } from "../../contract/sql/blocker.ts";
import { pauseAfter } from "../../operations/migrations/locks.ts";

const blocker: LockBlocker = {
  ...{ pid: 4242, user: "app", application: "worker", state: "idle in transaction", since: "2026-11-29T16:00:00Z" },
  ...{ query: "update messages set …", locked: "public.messages", mode: "AccessExclusiveLock" },
};

describe("the pause between two tries for a lock", () => {
  it("doubles up to a limit, and varies by half", () => {
    expect([1, 2, 3, 4, 5, 20].map((tries) => pauseAfter(tries, 1))).toEqual([1, 2, 4, 8, 8, 8]);
    expect([1, 2, 3, 4, 5, 20].map((tries) => pauseAfter(tries, 0))).toEqual([0.5, 1, 2, 4, 4, 4]);
  });
});

describe("a migration that waits", () => {
  const step = { type: "step", id: "migrate", title: "migrations", status: "progress" } as const;

  it("names the session that blocks it", () => {
    expect(stepText({ ...step, detail: "20260101000000_one.sql waits", blockers: [blocker] })).toBe(
      "20260101000000_one.sql waits, process 4242 (app, worker; idle in transaction since 2026-11-29T16:00:00Z) locks public.messages: update messages set …",
    );
  });

  it("names a prepared transaction, which has no session", () => {
    expect(stepText({ ...step, blockers: [{ ...blocker, pid: 0 }] })).toBe(
      "a prepared transaction (pg_prepared_xacts) locks public.messages",
    );
  });
});

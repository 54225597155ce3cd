import { describe, expect, it } from "vitest";
import type { Glance } from "../../../operations/rollout/commands/snapshot.ts";
import { slotRows, SLOT_COLUMNS } from "../../../operations/rollout/commands/snapshot.ts";
import { summaryOf } from "../../../operations/rollout/commands/history.ts";
import { firstJournal, type Journal } from "../../../operations/rollout/model/journal.ts";
import { viewOf } from "../../../operations/rollout/commands/watch.ts";
import { rolloutEntries } from "../notify/entries.ts";
import { rolloutPlan } from "./plans.ts";

const AT = Date.parse("2026-11-23T12:00:30.000Z");

function journalAt(step: number): Journal {
  const journal = firstJournal();
  const plan = rolloutPlan({ steps: [25, 100] });
  const [, entry] = rolloutEntries("prepare", 25);
  if (entry === undefined) throw new Error("there are two entries");
  const verdict = {
    gate: "p95",
    verdict: "pass",
    why: "within-limit",
    figure: 80,
    limit: 500,
    unit: "ms",
    test: "none",
  } as const;
  return {
    ...journal,
    sequence: 2,
    machine: { ...journal.machine, plan, state: { name: "shift", step } },
    table: { ...journal.table, weights: { blue: 75, green: 25 } },
    entry: { ...entry, at: "2026-11-23T12:00:00.000Z", verdicts: [verdict] },
  };
}

function seen(changes: Partial<Glance> = {}): Glance {
  const journal = journalAt(0);
  const open = { requests: 1, streams: 2, webSockets: 3 };
  return {
    at: AT,
    journal,
    holder: { who: "ann@host", pid: 42, verb: "cutover" },
    router: { table: journal.table, ready: { blue: true, green: true }, open: { blue: open, green: open } },
    slots: {
      blue: { running: true, restarts: 0, image: "exai:1" },
      green: { running: true, restarts: 0, image: "exai:2" },
    },
    figures: {
      blue: { requestRate: 120.4, errorRatio: 0.001, p95Milliseconds: 81.5, mcpSessions: 7 },
      green: {},
    },
    ...changes,
  };
}

describe("the view of a rollout", () => {
  it("has both slots' weight, rate, errors, p95 and what is open", () => {
    const [blue = [], green = []] = slotRows(seen());
    const row = (cells: readonly string[]) =>
      Object.fromEntries(SLOT_COLUMNS.map((name, index) => [name, cells[index]]));
    expect(row(blue)).toEqual({
      ...{ slot: "blue", weight: "75 %", router: "ready", "req/s": "120", errors: "0.10 %", p95: "82 ms" },
      ...{ WebSockets: "3", streams: "2", "MCP sessions": "7", restarts: "0", image: "exai:1" },
    });
    expect(row(green)).toMatchObject({ "req/s": "-", errors: "-", p95: "-", "MCP sessions": "-" });
  });

  it("says the state, how long, who leads, and what the gates said last", () => {
    const view = viewOf(seen());
    expect(view.title).toMatch(/^shift 25 % for 30 s, rollout /);
    expect(view.details).toContain("led by ann@host (cutover, process 42)");
    expect(view.details).toContain("  p95: pass, 80 ms (limit 500 ms)");
  });

  it("says what does not answer instead of showing an old figure", () => {
    const view = viewOf(seen({ router: undefined, figures: undefined }));
    expect(view.details).toEqual(expect.arrayContaining(["the router does not answer", "Prometheus does not answer"]));
    expect(view.rows[0]?.slice(2, 6)).toEqual(["?", "?", "?", "?"]);
  });

  it("says that nobody leads, and how to go on", () => {
    expect(viewOf(seen({ holder: undefined })).line).toContain("nobody leads it: ./exai rollout resume");
  });

  it("changes with the state, the weights, readiness and the leader, and not with figures or time", () => {
    const { change } = viewOf(seen());
    const blue = { requestRate: 1 };
    expect(viewOf(seen({ at: AT + 5000, figures: { blue, green: {} } })).change).toBe(change);
    for (const changes of [{ holder: undefined }, { journal: journalAt(1) }, { router: undefined }])
      expect(viewOf(seen(changes)).change, JSON.stringify(changes)).not.toBe(change);
  });
});

describe("a rollout in a line", () => {
  it.each([
    ["completed", rolloutEntries("prepare", 25, 100, "bake", "standby"), "completed", ""],
    ["completed and over", rolloutEntries("prepare", 25, 100, "bake", "standby", "idle"), "completed", ""],
    ["under way", rolloutEntries("prepare", 25), "under way", "shift 25 %"],
    ["taken back", rolloutEntries("prepare", 25, "rollback", "idle"), "taken back", "in shift 25 %: "],
    ["being taken back", rolloutEntries("prepare", 25, "rollback"), "under way", "in shift 25 %: "],
    [
      "taken back from standby",
      rolloutEntries("prepare", 100, "standby", "rollback", "idle"),
      "taken back",
      "in standby: ",
    ],
  ] as const)("that is %s", (_, entries, outcome, ending) => {
    expect(summaryOf(entries)).toMatchObject({ outcome, ending, image: "exai:2", candidate: "green", who: "ann@host" });
  });

  it("is not taken for taken back when the candidate had to keep the users", () => {
    const entries = rolloutEntries("prepare", 25, "rollback", "idle");
    const kept = entries.map((entry, index) => (index === 3 ? { ...entry, weights: { blue: 0, green: 100 } } : entry));
    expect(summaryOf(kept).outcome).toBe("rollback failed");
  });
});

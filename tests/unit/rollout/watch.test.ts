import { describe, expect, it } from "vitest";
import type { Block } from "../../../cli/format/block.ts";
import { ROLLOUT_VIEW, formatRolloutStatus } from "../../../cli/format/rollout/status.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { summaryOf } from "../../../operations/rollout/commands/history.ts";
import type { Snapshot } from "../../../operations/rollout/commands/snapshot.ts";
import { statusOf } from "../../../operations/rollout/commands/status.ts";
import { firstJournal, type Journal } from "../../../operations/rollout/model/journal.ts";
import { rolloutEntries } from "../notify/entries.ts";
import { rolloutPlan } from "./plans.ts";

const AT = Date.parse("2026-11-23T12:00:30.000Z");
const P95: Verdict = {
  ...{ gate: "p95", verdict: "pass", why: "within-limit", figure: 80, limit: 500, unit: "ms" },
  test: "binomial-e-process",
};
const ERRORS: Verdict = {
  ...{ gate: "errors", verdict: "no-data", why: "few-samples", test: "binomial-e-process" },
};

function journalAt(step: number): Journal {
  const journal = firstJournal();
  const plan = rolloutPlan({ steps: [25, 100] });
  const [, entry] = rolloutEntries("prepare", 25);
  if (entry === undefined) throw new Error("there are two entries");
  return {
    ...journal,
    sequence: 2,
    machine: { ...journal.machine, plan, state: { name: "shift", step } },
    table: { ...journal.table, weights: { blue: 75, green: 25 } },
    since: "2026-11-23T12:00:00.000Z",
    entry: { ...entry, at: "2026-11-23T12:00:00.000Z", verdicts: [P95, ERRORS] },
  };
}

function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
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
    metrics: {
      blue: { requestRate: 120.4, errorRatio: 0.001, p95Milliseconds: 81.5, mcpSessions: 7 },
      green: {},
    },
    ...changes,
  };
}

const CONTEXT = { at: AT };
const view = (changes: Partial<Snapshot> = {}) => ROLLOUT_VIEW.blocks(statusOf(snapshot(changes)), CONTEXT);
const change = (changes: Partial<Snapshot> = {}) => ROLLOUT_VIEW.change(statusOf(snapshot(changes)));
const line = (changes: Partial<Snapshot> = {}) =>
  ROLLOUT_VIEW.line(statusOf(snapshot(changes)), new Date(AT).toISOString());

/** The rows of the tables of blocks, each by the titles of its columns. */
function rowsOf(blocks: readonly Block[]): readonly (readonly Readonly<Record<string, string>>[])[] {
  return blocks.flatMap((block) =>
    block.type !== "table"
      ? []
      : [
          block.rows.map((row) =>
            Object.fromEntries(block.columns.map(({ title }, index) => [title, textOf(row[index] ?? "")])),
          ),
        ],
  );
}
const textOf = (text: string | { readonly text: string }) => (typeof text === "string" ? text : text.text);

function textsOf(blocks: readonly Block[]): readonly string[] {
  return blocks.flatMap((block) => {
    if (block.type === "lines") return block.lines.map(textOf);
    return block.type === "warning" || block.type === "heading" ? [textOf(block.text)] : [];
  });
}

describe("the view of a rollout", () => {
  it("shows weight, load and open connections of both slots", () => {
    const [[blue, green] = []] = rowsOf(view());
    expect(blue).toEqual({
      ...{ slot: "blue", weight: "75 %", router: "ready", "req/s": "120", errors: "0.10 %", p95: "82 ms" },
      ...{ WebSockets: "3", streams: "2", sessions: "7", restarts: "0", image: "exai:1" },
    });
    expect(green).toMatchObject({ "req/s": "-", errors: "-", p95: "-", sessions: "-" });
  });

  it("shows the state, its time and the leader", () => {
    const texts = textsOf(view());
    expect(texts[0]).toMatch(/^shift 25 % for 30 s, rollout /);
    expect(texts).toContain("led by ann@host (cutover, process 42)");
  });

  it("shows the gates with figure and limit, first those that do not pass", () => {
    const [, gates] = rowsOf(view());
    expect(gates).toMatchObject([
      { gate: "errors", verdict: "no-data", why: "needs 0 s of samples" },
      { gate: "p95", verdict: "pass", figure: "80 ms", limit: "500 ms" },
    ]);
  });

  it("shows the gates of the present step if they are known", () => {
    const [, gates] = rowsOf(view({ check: { sequence: 2, verdicts: [{ ...P95, figure: 90 }] } }));
    expect(gates).toMatchObject([{ gate: "p95", figure: "90 ms", limit: "500 ms" }]);
  });

  it("warns about what does not answer instead of showing old figures", () => {
    const blocks = view({ router: undefined, metrics: undefined });
    expect(textsOf(blocks)).toEqual(
      expect.arrayContaining(["the router does not answer", "Prometheus does not answer"]),
    );
    const [[blue] = []] = rowsOf(blocks);
    expect(blue).toMatchObject({ router: "?", "req/s": "?", errors: "?", p95: "?" });
  });

  it("says that no process leads the rollout, and how to continue", () => {
    expect(line({ holder: undefined })).toContain("no process leads it");
    const blocks = formatRolloutStatus(statusOf(snapshot({ holder: undefined })));
    expect(blocks.at(-1)).toMatchObject({ commands: [{ command: "rollout resume" }, { command: "rollout abort" }] });
  });

  it("changes with the state, the weights, readiness and the leader, and not with metrics or time", () => {
    const blue = { requestRate: 1 };
    expect(change({ at: AT + 5000, metrics: { blue, green: {} } })).toBe(change());
    for (const changes of [{ holder: undefined }, { journal: journalAt(1) }, { router: undefined }])
      expect(change(changes), JSON.stringify(changes)).not.toBe(change());
  });
});

describe("the summary of a rollout", () => {
  it.each([
    ["completed", rolloutEntries("prepare", 25, 100, "bake", "standby"), "completed", undefined],
    ["completed and finished", rolloutEntries("prepare", 25, 100, "bake", "standby", "idle"), "completed", undefined],
    ["under way", rolloutEntries("prepare", 25), "under-way", undefined],
    ["rolled back", rolloutEntries("prepare", 25, "rollback", "idle"), "rolled-back", "shift 25 %"],
    ["in a rollback", rolloutEntries("prepare", 25, "rollback"), "under-way", "shift 25 %"],
    [
      "rolled back from standby",
      rolloutEntries("prepare", 100, "standby", "rollback", "idle"),
      "rolled-back",
      "standby",
    ],
  ] as const)("of one that is %s", (_, entries, outcome, from) => {
    const summary = summaryOf(entries);
    expect(summary).toMatchObject({ outcome, image: "exai:2", candidate: "green", who: "ann@host" });
    expect(summary.rollback?.from).toBe(from);
    expect(summary.state).toBe(entries.at(-1)?.label);
  });

  it("reports a failed rollback if the candidate had to keep the users", () => {
    const entries = rolloutEntries("prepare", 25, "rollback", "idle");
    const kept = entries.map((entry, index) => (index === 3 ? { ...entry, weights: { blue: 0, green: 100 } } : entry));
    expect(summaryOf(kept).outcome).toBe("kept");
  });
});

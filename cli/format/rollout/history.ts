import { command } from "../../../contract/fix.ts";
import type { RolloutDetail, RolloutHistory, RolloutSummary } from "../../../operations/rollout/commands/history.ts";
import { hookText } from "../../../operations/notify/wording.ts";
import { heading, next, type Block } from "../block.ts";
import { causeText, weightsText } from "./words.ts";
import { span } from "../units.ts";
import { byImportance, verdictCells, VERDICT_COLUMNS } from "../gates.ts";

/** `rollout history`: the newest rollouts, or one of them with its transitions and verdicts. */
export function formatRolloutHistory(data: RolloutHistory | RolloutDetail): readonly Block[] {
  return "entries" in data ? one(data) : list(data);
}

function list({ rollouts, total }: RolloutHistory): readonly Block[] {
  if (total === 0) return [heading("no rollouts")];
  return [
    {
      type: "table",
      columns: [
        { title: "rollout" },
        { title: "outcome" },
        { title: "took", align: "right", priority: 2 },
        { title: "image", priority: 1 },
        { title: "who", priority: 3 },
        { title: "reason", priority: 4 },
      ],
      rows: rollouts.map((summary) => [
        ...[summary.rollout, outcomeText(summary), span(summary.seconds)],
        ...[summary.image, summary.who, summary.reason],
      ]),
    },
    heading(`${String(rollouts.length)} of ${String(total)} rollouts`),
    next({ ...command(`rollout history ${rollouts.at(-1)?.rollout ?? ""}`), comment: "one with its gates" }),
  ];
}

function one({ entries, ...summary }: RolloutDetail): readonly Block[] {
  const begin = Date.parse(entries[0]?.at ?? "");
  const verdicts = entries.flatMap(({ label, verdicts: all }) =>
    byImportance(all).map((verdict) => ({ label, verdict })),
  );
  const reason = summary.reason === "" ? "" : `: ${summary.reason}`;
  return [
    {
      type: "table",
      title: `${summary.rollout}: ${summary.image} into ${summary.candidate}, by ${summary.who}${reason}`,
      columns: [
        { title: "after", align: "right" },
        { title: "state" },
        { title: "weights" },
        { title: "who", priority: 2 },
        { title: "why", priority: 1 },
      ],
      rows: entries.map((entry) => [
        span((Date.parse(entry.at) - begin) / 1000),
        entry.label,
        weightsText(entry.weights),
        entry.who,
        entry.hook === undefined ? causeText(entry) : hookText(entry.hook),
      ]),
    },
    ...(verdicts.length === 0
      ? []
      : [
          {
            type: "table",
            title: "gates",
            columns: [{ title: "before", priority: 1 }, ...VERDICT_COLUMNS],
            rows: verdicts.map(({ label, verdict }) => [label, ...verdictCells(verdict)]),
          } as const,
        ]),
    heading(`${summaryText(summary)}, after ${span(summary.seconds)}`),
  ];
}

/** One sentence: what the outcome was, and why. */
export function summaryText(summary: RolloutSummary): string {
  const { rollback } = summary;
  const cause = rollback === undefined ? "" : causeText(rollback);
  return `rollout ${summary.rollout}: ${outcomeText(summary)}${cause === "" ? "" : `: ${cause}`}`;
}

function outcomeText({ outcome, state, rollback }: RolloutSummary): string {
  switch (outcome) {
    case "completed":
      return "completed";
    case "rolled-back":
      return `rolled back in ${rollback?.from ?? state}`;
    case "kept":
      return `rollback failed in ${rollback?.from ?? state}`;
    case "under-way":
      return rollback === undefined ? `under way: ${state}` : `rollback under way, from ${rollback.from}`;
  }
}

import { command, onStack } from "../../contract/fix.ts";
import type { DrillResult } from "../../operations/restore/drill.ts";
import { heading, next, pairs, type Block } from "./block.ts";
import { count, span } from "./units.ts";

/** `drill`. */
export function formatDrill(result: DrillResult): readonly Block[] {
  const { outcome, error, checks, fetchSeconds, replaySeconds, proofSeconds } = result;
  const { acknowledgedRows, restoredRows, rpoSeconds, stack, recorded } = result;
  const parts = [fetchSeconds, replaySeconds, proofSeconds].map((part) => (part === null ? "-" : span(part)));
  const total = [fetchSeconds, replaySeconds, proofSeconds].reduce<number>((sum, part) => sum + (part ?? 0), 0);
  const lost = (acknowledgedRows ?? 0) - (restoredRows ?? 0);
  const measured = proofSeconds !== null;
  return [
    ...(checks.length === 0
      ? []
      : [
          {
            type: "table",
            columns: [{ title: "CHECK" }, { title: "STATE" }, { title: "DETAIL", priority: 1 }],
            rows: checks.map(({ name, status, detail }) => [name, status, detail]),
          } as const,
        ]),
    outcome === "passed" ? heading(`the drill passed: restored and proved in ${span(total)}`) : heading(`the drill failed: ${error ?? "no reason was recorded"}`), // prettier-ignore
    ...(measured
      ? [
          pairs({
            RTO: `${span(total)} (files ${parts[0] ?? ""}, ${stack === undefined ? "replay" : "load"} ${parts[1] ?? ""}, proof ${parts[2] ?? ""})`,
            RPO: `${span(rpoSeconds ?? 0)}: ${
              acknowledgedRows === null
                ? "the age of the newest dump"
                : `${String(lost)} of ${count(acknowledgedRows, "acknowledged row")} lost`
            }`,
          }),
        ]
      : []),
    ...(recorded === false
      ? [{ type: "warning", text: "the database does not answer: the drill is not recorded" } as const]
      : []),
    next(
      outcome === "passed"
        ? command(onStack("backup list", stack))
        : command(stack === undefined ? "logs backup-runner" : `backup verify ${stack}`),
    ),
  ];
}

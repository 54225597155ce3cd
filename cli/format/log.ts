import type { AuditEntry, AuditLog } from "../../operations/audit/log.ts";
import { heading, type Block, type Text } from "./block.ts";
import { count, span, utc } from "./units.ts";

/** `log`: newest last. */
export function formatLog({ stack, entries, total, damaged }: AuditLog): readonly Block[] {
  const unfinished = entries.filter(({ outcome }) => outcome === undefined).length;
  return [
    {
      type: "table",
      columns: [
        { title: "BEGAN (UTC)" },
        { title: "COMMAND", minimum: 16 },
        { title: "OUTCOME" },
        { title: "TOOK", priority: 3, align: "right" },
        { title: "WHO", priority: 1 },
        { title: "WHY", priority: 2 },
      ],
      rows: entries.map((entry) => [
        utc(new Date(entry.at)),
        entry.subject === undefined ? entry.verb : `${entry.verb} ${entry.subject}`,
        outcomeText(entry),
        entry.outcome === undefined ? "" : span(entry.outcome.seconds),
        entry.who,
        entry.reason ?? "",
      ]),
    },
    ...(damaged === 0
      ? []
      : [{ type: "warning", text: `${count(damaged, "line")} of the log cannot be read, and are left out` } as const]),
    heading(
      `${stack}: ${String(entries.length)} of ${count(total, "change")}${unfinished === 0 ? "" : `, ${String(unfinished)} unfinished`}`,
    ),
  ];
}

function outcomeText({ outcome }: AuditEntry): Text {
  if (outcome === undefined) return { text: "unfinished", tone: "warning" };
  const { exitCode, error } = outcome;
  if (exitCode === 0) return { text: "done", tone: "good" };
  return {
    text: error === undefined ? `exit code ${String(exitCode)}` : `${error} (${String(exitCode)})`,
    tone: "bad",
  };
}

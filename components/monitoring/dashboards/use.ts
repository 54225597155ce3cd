import { USE_METRICS as use } from "../../../contract/monitoring.ts";
import { board, curves, figure, heading, type ClassicDashboard } from "./panels.ts";

/** What users do, as the database knows it: sums, without users and without content. */
export function useDashboard(): ClassicDashboard {
  return board("exai-use", "EX-AI: Use", "What users with a token do, and what it costs.")
    .withPanel(
      figure({
        title: "Sessions",
        description: "Open MCP sessions of users with a token.",
        unit: "short",
        lines: [{ expr: `sum(${use.openSessions})`, legend: "sessions" }],
      }),
    )
    .withPanel(
      figure({
        title: "Processes",
        description: "Of the server that use the database.",
        unit: "short",
        lines: [{ expr: `sum(${use.processes})`, legend: "processes" }],
      }),
    )
    .withPanel(
      figure({
        title: "Open uploads",
        description: "That wait for bytes.",
        unit: "short",
        lines: [{ expr: `sum(${use.openUploads})`, legend: "uploads" }],
      }),
    )
    .withPanel(
      figure({
        title: "Abandoned uploads",
        description: "Given up and not removed yet: if the number grows, retention does not run.",
        unit: "short",
        lines: [{ expr: `sum(${use.expiredUploads})`, legend: "uploads" }],
      }),
    )
    .withPanel(
      figure({
        title: "Incidents",
        description: "That are not resolved.",
        unit: "short",
        limits: { bad: 1 },
        lines: [{ expr: `sum(${use.openIncidents}) or vector(0)`, legend: "incidents" }],
      }),
    )
    .withRow(heading("Providers"))
    .withPanel(
      curves({
        title: "Requests to providers",
        description: "In the last hour.",
        unit: "short",
        width: 6,
        lines: [
          {
            expr: `sum by (provider, operation) (${use.providerRequests})`,
            legend: "{{provider}} {{operation}}",
          },
        ],
      }),
    )
    .withPanel(
      curves({
        title: "Errors of providers",
        description: "Share of the requests of the last hour.",
        unit: "percentunit",
        width: 6,
        limits: { bad: 0.1 },
        lines: [
          {
            expr: `sum by (provider) (${use.providerErrors}) / (sum by (provider) (${use.providerRequests}) > 0)`,
            legend: "{{provider}}",
          },
        ],
      }),
    )
    .withPanel(
      curves({
        title: "Tokens",
        description: "Of questions and answers in the last hour: what providers bill.",
        unit: "short",
        width: 6,
        lines: [{ expr: `sum by (provider) (${use.providerTokens})`, legend: "{{provider}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Time of providers",
        description: "95 % of the requests of the last hour took less.",
        unit: "s",
        width: 6,
        lines: [{ expr: `max by (provider, operation) (${use.providerP95})`, legend: "{{provider}} {{operation}}" }],
      }),
    )
    .withRow(heading("Tools and sessions"))
    .withPanel(
      curves({
        title: "Calls of tools",
        description: "In the last hour, the ten that are called most.",
        unit: "short",
        lines: [{ expr: `topk(10, sum by (tool) (${use.toolCalls}))`, legend: "{{tool}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Time of tools",
        description: "95 % of the calls of the last hour took less; the ten slowest.",
        unit: "s",
        lines: [{ expr: `topk(10, max by (tool) (${use.toolP95}))`, legend: "{{tool}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Sessions by slot",
        description: "During a cutover they move with their users.",
        unit: "short",
        lines: [{ expr: `sum by (slot, transport) (${use.openSessions})`, legend: "{{slot}} {{transport}}" }],
      }),
    )
    .withRow(heading("Tables"))
    .withPanel(
      curves({
        title: "Size of tables",
        description: "With indexes, the ten largest.",
        unit: "bytes",
        width: 12,
        lines: [{ expr: `topk(10, max by (table) (${use.tableBytes}))`, legend: "{{table}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Dead rows",
        description: "Share of all rows that vacuum has not removed yet; the ten with most.",
        unit: "percentunit",
        width: 12,
        lines: [
          {
            expr:
              `topk(10, max by (table) (${use.tableDeadRows})` +
              ` / (max by (table) (${use.tableLiveRows}) + max by (table) (${use.tableDeadRows}) > 0))`,
            legend: "{{table}}",
          },
        ],
      }),
    )
    .build();
}

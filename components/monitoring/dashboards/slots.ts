import { COLOURS } from "../../../contract/slots.ts";
import { ENVOY_METRICS } from "../../../contract/envoy/metrics.ts";
import { RECORDS } from "../../../contract/monitoring.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import { board, curves, figure, heading, type ClassicDashboard } from "./panels.ts";

/** Both slots side by side: what one looks at during a cutover. */
export function coloursDashboard(): ClassicDashboard {
  const dashboard = board(
    "exai-colours",
    "EX-AI: blue and green",
    "Both slots over the same seconds, from the series that the rollout's gates and the alerts are built on.",
  ).time({ from: "now-15m", to: "now" });
  for (const colour of COLOURS) {
    const only = `{colour="${colour}"}`;
    dashboard
      .withRow(heading(colour))
      .withPanel(
        figure({
          title: `${colour}: share of requests`,
          description: "What the weights come to, over one minute; the tester's header and sessions included.",
          unit: "percentunit",
          lines: [{ expr: `${RECORDS.requestShare1m}${only}`, legend: colour }],
        }),
      )
      .withPanel(
        figure({
          title: `${colour}: requests`,
          description: "Per second.",
          unit: "reqps",
          lines: [{ expr: `${RECORDS.requests1m}${only}`, legend: colour }],
        }),
      )
      .withPanel(
        figure({
          title: `${colour}: errors`,
          description: "Share of 5xx answers.",
          unit: "percentunit",
          limits: { warning: 0.01, bad: 0.05 },
          lines: [{ expr: `${RECORDS.errorRatio1m}${only}`, legend: colour }],
        }),
      )
      .withPanel(
        figure({
          title: `${colour}: p95`,
          description: "Objective: under 500 ms.",
          unit: "s",
          limits: { bad: 0.5 },
          lines: [{ expr: `${RECORDS.p95Seconds1m}${only}`, legend: colour }],
        }),
      )
      .withPanel(
        figure({
          title: `${colour}: p99`,
          description: "Objective: under 1 s.",
          unit: "s",
          limits: { bad: 1 },
          lines: [{ expr: `${RECORDS.p99Seconds1m}${only}`, legend: colour }],
        }),
      )
      .withPanel(
        figure({
          title: `${colour}: servers up`,
          description: "That answer their scrape.",
          unit: "short",
          limits: { bad: 1, belowIsBad: true },
          lines: [{ expr: `${RECORDS.slotTargetsUp}${only}`, legend: colour }],
        }),
      );
  }
  return dashboard
    .withRow(heading("Side by side"))
    .withPanel(
      curves({
        title: "Share of requests",
        description: "A cutover crosses here.",
        unit: "percentunit",
        lines: [{ expr: RECORDS.requestShare1m, legend: "{{colour}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Error ratio",
        description: "Absent while a colour has no requests.",
        unit: "percentunit",
        limits: { warning: 0.01, bad: 0.05 },
        lines: [{ expr: RECORDS.errorRatio1m, legend: "{{colour}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Difference of the error ratios",
        description: "Green's minus blue's, while both have requests. Above 0: green is the worse one.",
        unit: "percentunit",
        lines: [
          {
            expr: `sum(${RECORDS.errorRatio1m}{colour="green"}) - sum(${RECORDS.errorRatio1m}{colour="blue"})`,
            legend: "difference",
          },
        ],
      }).min(-1),
    )
    .withPanel(
      curves({
        title: "p95",
        description: "Objective: under 500 ms.",
        unit: "s",
        limits: { bad: 0.5 },
        lines: [{ expr: RECORDS.p95Seconds1m, legend: "{{colour}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "p99",
        description: "Objective: under 1 s.",
        unit: "s",
        limits: { bad: 1 },
        lines: [{ expr: RECORDS.p99Seconds1m, legend: "{{colour}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Open streams and WebSockets",
        description: "What a retiring colour still has to drain, as the router counts it.",
        unit: "short",
        lines: [
          {
            expr: `sum by (colour, kind) (${ENVOY_METRICS.active}{kind=~"stream|websocket"})`,
            legend: "{{colour}} {{kind}}",
          },
        ],
      }),
    )
    .withPanel(
      curves({
        title: "Requests in flight",
        description: "Plain requests that are being answered.",
        unit: "short",
        lines: [{ expr: `sum by (colour) (${ENVOY_METRICS.active}{kind="plain"})`, legend: "{{colour}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "MCP sessions",
        description: "Sessions stay on the colour that opened them.",
        unit: "short",
        lines: [{ expr: `sum by (colour) (${SERVER_METRICS.mcpSessions})`, legend: "{{colour}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Healthy servers",
        description: "That pass the router's own check.",
        unit: "short",
        lines: [{ expr: `min by (colour) (${ENVOY_METRICS.healthyHosts}{kind="plain"})`, legend: "{{colour}}" }],
      }),
    )
    .build();
}

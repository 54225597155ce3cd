import { SLOTS } from "../../../contract/slots.ts";
import { ENVOY_METRICS } from "../../../contract/envoy/metrics.ts";
import { RECORDS } from "../../../contract/monitoring.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import { board, curves, figure, heading, type ClassicDashboard } from "./panels.ts";

/** Both slots side by side, for a cutover. */
export function slotsDashboard(): ClassicDashboard {
  const dashboard = board(
    "exai-slots",
    "EX-AI: blue and green",
    "Both slots over the same seconds, from the series that the rollout's gates and the alerts are built on.",
  ).time({ from: "now-15m", to: "now" });
  for (const slot of SLOTS) {
    const only = `{slot="${slot}"}`;
    dashboard
      .withRow(heading(slot))
      .withPanel(
        figure({
          title: `${slot}: share of requests`,
          description: "The effective share of each slot over one minute, MCP sessions included.",
          unit: "percentunit",
          lines: [{ expr: `${RECORDS.requestShare1m}${only}`, legend: slot }],
        }),
      )
      .withPanel(
        figure({
          title: `${slot}: requests`,
          description: "Per second.",
          unit: "reqps",
          lines: [{ expr: `${RECORDS.requests1m}${only}`, legend: slot }],
        }),
      )
      .withPanel(
        figure({
          title: `${slot}: errors`,
          description: "Share of 5xx answers.",
          unit: "percentunit",
          limits: { warning: 0.01, bad: 0.05 },
          lines: [{ expr: `${RECORDS.errorRatio1m}${only}`, legend: slot }],
        }),
      )
      .withPanel(
        figure({
          title: `${slot}: p95`,
          description: "Objective: under 500 ms.",
          unit: "s",
          limits: { bad: 0.5 },
          lines: [{ expr: `${RECORDS.p95Seconds1m}${only}`, legend: slot }],
        }),
      )
      .withPanel(
        figure({
          title: `${slot}: p99`,
          description: "Objective: under 1 s.",
          unit: "s",
          limits: { bad: 1 },
          lines: [{ expr: `${RECORDS.p99Seconds1m}${only}`, legend: slot }],
        }),
      )
      .withPanel(
        figure({
          title: `${slot}: servers up`,
          description: "That answer their scrape.",
          unit: "short",
          limits: { bad: 1, belowIsBad: true },
          lines: [{ expr: `${RECORDS.slotTargetsUp}${only}`, legend: slot }],
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
        lines: [{ expr: RECORDS.requestShare1m, legend: "{{slot}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Error ratio",
        description: "Absent while a slot has no requests.",
        unit: "percentunit",
        limits: { warning: 0.01, bad: 0.05 },
        lines: [{ expr: RECORDS.errorRatio1m, legend: "{{slot}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Difference of the error ratios",
        description: "Green minus blue, while both have requests. Above 0: green is worse.",
        unit: "percentunit",
        lines: [
          {
            expr: `sum(${RECORDS.errorRatio1m}{slot="green"}) - sum(${RECORDS.errorRatio1m}{slot="blue"})`,
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
        lines: [{ expr: RECORDS.p95Seconds1m, legend: "{{slot}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "p99",
        description: "Objective: under 1 s.",
        unit: "s",
        limits: { bad: 1 },
        lines: [{ expr: RECORDS.p99Seconds1m, legend: "{{slot}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Open streams and WebSockets",
        description: "Connections that a retiring slot still has to drain, counted by the router.",
        unit: "short",
        lines: [
          {
            expr: `sum by (slot, kind) (${ENVOY_METRICS.active}{kind=~"stream|websocket"})`,
            legend: "{{slot}} {{kind}}",
          },
        ],
      }),
    )
    .withPanel(
      curves({
        title: "Requests in flight",
        description: "Users' requests that are being answered.",
        unit: "short",
        lines: [{ expr: `sum by (slot) (${ENVOY_METRICS.active}{kind=~"plain|session"})`, legend: "{{slot}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "MCP sessions",
        description: "Sessions stay on the slot that opened them.",
        unit: "short",
        lines: [{ expr: `sum by (slot) (${SERVER_METRICS.mcpSessions})`, legend: "{{slot}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Healthy servers",
        description: "That pass the router's own check.",
        unit: "short",
        lines: [{ expr: `min by (slot) (${ENVOY_METRICS.healthyHosts}{kind="plain"})`, legend: "{{slot}}" }],
      }),
    )
    .build();
}

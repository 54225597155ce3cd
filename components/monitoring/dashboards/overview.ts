import { ENVOY_LABELS, ENVOY_METRICS } from "../../../contract/envoy/metrics.ts";
import { RECORDS } from "../../../contract/monitoring.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import { plainRequests } from "../router-series.ts";
import { board, curves, figure, heading, type ClassicDashboard } from "./panels.ts";

/** What users experience: rate, errors, latency, WebSockets, MCP sessions, model providers. */
export function overviewDashboard(): ClassicDashboard {
  const metrics = SERVER_METRICS;
  return board("exai-overview", "EX-AI: overview", "What users experience now, across both slots.")
    .withPanel(
      figure({
        title: "Requests",
        description: "Per second, over five minutes.",
        unit: "reqps",
        lines: [{ expr: RECORDS.userRequests5m, legend: "requests" }],
      }),
    )
    .withPanel(
      figure({
        title: "Errors",
        description: "Share of 5xx answers over five minutes.",
        unit: "percentunit",
        limits: { warning: 0.01, bad: 0.05 },
        lines: [{ expr: RECORDS.userErrorRatio5m, legend: "errors" }],
      }),
    )
    .withPanel(
      figure({
        title: "p95",
        description: "Objective: under 500 ms.",
        unit: "s",
        limits: { bad: 0.5 },
        lines: [{ expr: RECORDS.userP95Seconds5m, legend: "p95" }],
      }),
    )
    .withPanel(
      figure({
        title: "p99",
        description: "Objective: under 1 s.",
        unit: "s",
        limits: { bad: 1 },
        lines: [{ expr: RECORDS.userP99Seconds5m, legend: "p99" }],
      }),
    )
    .withPanel(
      figure({
        title: "Slow requests",
        description: "Share over 500 ms within five minutes.",
        unit: "percentunit",
        limits: { bad: 0.05 },
        lines: [{ expr: RECORDS.userSlowRatio5m, legend: "slow" }],
      }),
    )
    .withPanel(
      figure({
        title: "Open WebSockets",
        description: "On both slots.",
        unit: "short",
        lines: [{ expr: `sum(${metrics.webSockets})`, legend: "open" }],
      }),
    )
    .withRow(heading("Traffic"))
    .withPanel(
      curves({
        title: "Requests by slot",
        description: "Responses, counted by the router.",
        unit: "reqps",
        lines: [{ expr: RECORDS.requests1m, legend: "{{slot}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Answers by class",
        description: "2: success, 4: client error, 5: server error.",
        unit: "reqps",
        lines: [
          {
            expr: `sum by (${ENVOY_LABELS.responseClass}) (rate(${plainRequests(ENVOY_METRICS.requests)}[1m]))`,
            legend: `{{${ENVOY_LABELS.responseClass}}}xx`,
          },
        ],
      }),
    )
    .withPanel(
      curves({
        title: "Latency",
        description: "Plain requests, all slots; streams and WebSockets have none.",
        unit: "s",
        limits: { warning: 0.5, bad: 1 },
        lines: [
          { expr: RECORDS.userP95Seconds5m, legend: "p95" },
          { expr: RECORDS.userP99Seconds5m, legend: "p99" },
        ],
      }),
    )
    .withRow(heading("WebSockets and MCP"))
    .withPanel(
      curves({
        title: "Open WebSockets by slot",
        description: "As the servers count them.",
        unit: "short",
        lines: [{ expr: `sum by (slot) (${metrics.webSockets})`, legend: "{{slot}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "WebSocket latency, p95",
        description: "Round trip of a ping. Objective: under 100 ms.",
        unit: "s",
        limits: { bad: 0.1 },
        lines: [{ expr: RECORDS.webSocketP95Seconds5m, legend: "{{slot}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "MCP sessions by slot",
        description: "Sessions stay on the slot that opened them.",
        unit: "short",
        lines: [{ expr: `sum by (slot) (${metrics.mcpSessions})`, legend: "{{slot}}" }],
      }),
    )
    .withRow(heading("Server and providers"))
    .withPanel(
      curves({
        title: "Requests by route",
        description: "As the servers count them, probes included.",
        unit: "reqps",
        lines: [{ expr: `sum by (route) (rate(${metrics.requests}[1m]))`, legend: "{{route}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Provider errors",
        description: "Share of failed calls by model provider over five minutes.",
        unit: "percentunit",
        lines: [
          {
            expr:
              `(sum by (provider) (rate(${metrics.providerRequests}{outcome="error"}[5m]))` +
              ` or sum by (provider) (rate(${metrics.providerRequests}[5m])) * 0)` +
              ` / (sum by (provider) (rate(${metrics.providerRequests}[5m])) > 0)`,
            legend: "{{provider}}",
          },
        ],
      }),
    )
    .withPanel(
      curves({
        title: "Provider latency, p95",
        description: "Response time of Kimi and GLM.",
        unit: "s",
        lines: [
          {
            expr: `histogram_quantile(0.95, sum by (provider, le) (rate(${metrics.providerDuration}_bucket[5m])))`,
            legend: "{{provider}}",
          },
        ],
      }),
    )
    .withPanel(
      curves({
        title: "Server latency by route, p95",
        description: "Without the router's own time.",
        unit: "s",
        lines: [
          {
            expr: `histogram_quantile(0.95, sum by (route, le) (rate(${metrics.requestDuration}_bucket[5m])))`,
            legend: "{{route}}",
          },
        ],
      }),
    )
    .withPanel(
      curves({
        title: "Releases",
        description: "Servers by release and slot.",
        unit: "short",
        lines: [{ expr: `count by (slot, release) (${metrics.buildInfo})`, legend: "{{slot}} {{release}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Alerts",
        description: "Firing now, without the Watchdog.",
        unit: "short",
        lines: [
          {
            expr: `count by (alertname, severity) (ALERTS{alertstate="firing",severity!="none"}) or vector(0)`,
            legend: "{{severity}} {{alertname}}",
          },
        ],
      }),
    )
    .build();
}

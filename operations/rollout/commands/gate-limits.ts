import type { GateSettings } from "../gates/settings.ts";

/** Every gate and what passes it, for people. */
export function gateLimits(settings: GateSettings): readonly (readonly [gate: string, passes: string])[] {
  const { minimumSamples, minimumRoundTrips, noDataSeconds, memoryGrowth } = settings;
  return [
    [
      "samples",
      `${String(minimumSamples)} requests and ${String(minimumRoundTrips)} WebSocket round trips on a step, topped up with probes; without them it holds, for ${String(noDataSeconds)} s`,
    ],
    ["errors", `less than ${percent(settings.errorRatio)} of the requests answered with 500 or above`],
    ["p95", `below ${String(settings.p95Milliseconds)} ms`],
    ["p99", `below ${String(settings.p99Milliseconds)} ms`],
    ["websocket", `p95 of round trips below ${String(settings.webSocketMilliseconds)} ms, and WebSockets open`],
    ["compared", "errors, refusals and slow requests no worse than on the other slot in the same seconds"],
    ...(memoryGrowth === 0
      ? []
      : ([["memory", `grows by less than ${String(memoryGrowth)} MB per minute beyond the other slot's`]] as const)),
    ["restarts", `at most ${String(settings.restarts)} of the slot's containers`],
    ...settings.queries.map(({ name, query, comparison, limit, stableRatio }): readonly [string, string] => {
      const beside = stableRatio === undefined ? "" : `, and ${String(stableRatio)} times the other slot's`;
      return [name, `${query} ${comparison} ${String(limit)}${beside}`];
    }),
  ];
}

function percent(share: number): string {
  return `${String(Number((share * 100).toPrecision(3)))} %`;
}

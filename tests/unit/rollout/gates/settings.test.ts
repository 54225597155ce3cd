import { describe, expect, it } from "vitest";
import { checkGates, DEFAULT_GATES, gateSettings } from "../../../../operations/rollout/gates/settings.ts";
import { parseSettings } from "../../../../stacks/settings.ts";
import { plainSource } from "../../../../stacks/settings/source.ts";

describe("the settings of the gates", () => {
  it("come from the stack's settings", () => {
    const gates = (values: Record<string, string>) => gateSettings(parseSettings("local", plainSource(values)));
    expect(gates({})).toEqual(DEFAULT_GATES);
    const query = {
      ...{ name: "providers", query: 'sum(rate(exai_provider_requests_total{slot="$slot"}[1m]))' },
      ...{ comparison: "<", limit: 0.5, stableRatio: 2 },
    };
    const set = gates({
      ...{
        gateErrorRatio: "0.002",
        gateP95: "250",
        gateP99: "500",
        gateWebSocket: "50",
        gateWebSocketMessage: "hello",
      },
      ...{
        gateMinimumSamples: "100",
        gateNoDataSeconds: "90",
        gateProbes: "5",
        gateRestarts: "1",
        gateMemoryGrowth: "10",
      },
      gateQueries: JSON.stringify([query]),
    });
    expect(set).toEqual({
      ...DEFAULT_GATES,
      ...{ errorRatio: 0.002, p95Milliseconds: 250, p99Milliseconds: 500, webSocketMilliseconds: 50 },
      ...{ webSocketMessage: "hello", minimumSamples: 100, noDataSeconds: 90, probesPerSecond: 5, restarts: 1 },
      ...{ memoryGrowth: 10, queries: [query] },
    });
  });

  it("are refused if a histogram has no such bound", () => {
    const refusal = (changed: Partial<typeof DEFAULT_GATES>) => () => {
      checkGates({ ...DEFAULT_GATES, ...changed });
    };
    expect(refusal({ p95Milliseconds: 400 })).toThrow("400 ms is not a bound of the router's");
    expect(refusal({ webSocketMilliseconds: 120 })).toThrow("120 ms is not a bound of the server's");
    expect(refusal({ errorRatio: 1 })).toThrow("is not between 0 and 1");
    expect(refusal({})).not.toThrow();
  });
});

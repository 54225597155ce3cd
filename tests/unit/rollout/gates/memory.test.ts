import { describe, expect, it } from "vitest";
import { SERVER_METRICS } from "../../../../contract/server.ts";
import { memoryGate } from "../../../../operations/rollout/gates/memory.ts";
import type { Series } from "../../../../operations/rollout/gates/prometheus.ts";
import { generator } from "../random.ts";

describe("the gate of memory", () => {
  const MB = 1e6;
  const random = generator(3);
  /** Megabytes every 2 s. */
  const memory = (slot: string, megabytes: (seconds: number) => number, seconds = 60): Series => ({
    labels: { __name__: SERVER_METRICS.residentMemory, slot, job: "server", instance: `${slot}:8080` },
    samples: Array.from({ length: seconds / 2 + 1 }, (_, index) => [index * 2, (megabytes(index * 2) + random()) * MB]),
  });
  const steady = memory("blue", () => 90);
  const outcome = (...series: Series[]): string | undefined => memoryGate(series, "green", 30, 0)?.verdict;

  it("fails a leak of 1 MB per second, and passes one below the limit", () => {
    expect(
      outcome(
        memory("green", (t) => 75 + t),
        steady,
      ),
    ).toBe("fail");
    expect(
      outcome(
        memory("green", (t) => 75 + t / 4),
        steady,
      ),
    ).toBe("pass");
  });

  it("passes a server that warms up, fast at first and then less and less", () => {
    // As measured on the reference server: 75 MB at its start, 89 after 12 s, then 0.1 MB per second.
    expect(
      outcome(
        memory("green", (t) => 75 + 14 * (1 - Math.exp(-t / 4)) + t / 10),
        steady,
      ),
    ).toBe("pass");
  });

  it("holds if the growth began late, and has too few samples for half a minute", () => {
    expect(
      outcome(
        memory("green", (t) => 75 + Math.max(0, t - 30)),
        steady,
      ),
    ).toBe("no-data");
    expect(
      outcome(
        memory("green", (t) => 75 + t, 28),
        steady,
      ),
    ).toBeUndefined();
    expect(outcome(steady)).toBeUndefined();
  });

  it("passes growth that the stable slot shows as well", () => {
    expect(
      outcome(
        memory("green", (t) => 75 + t),
        memory("blue", (t) => 90 + t),
      ),
    ).toBe("pass");
  });

  it("finds the one replica that leaks", () => {
    const leaking = memory("green", (t) => 75 + t);
    const other = { ...memory("green", () => 90), labels: { ...leaking.labels, instance: "green-2:8080" } };
    expect(outcome(other, leaking, steady)).toBe("fail");
  });
});

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gateQuery, type GateQuery } from "../../../contract/gates.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import { memoryGate } from "../../../operations/rollout/gates/memory.ts";
import { Prometheus, PrometheusError, type Series } from "../../../operations/rollout/gates/prometheus.ts";
import { judgeQuery, QueryGates } from "../../../operations/rollout/gates/custom-queries.ts";
import { gateQueries } from "../../../stacks/settings/checks.ts";
import { generator } from "./random.ts";

const QUERY: GateQuery = {
  name: "providers",
  query: 'sum(rate(exai_provider_requests_total{slot="$slot",outcome="error"}[1m]))',
  comparison: "<",
  limit: 0.5,
};

describe("a query of the user's own", () => {
  const outcome = (query: Partial<GateQuery>, own: number[], stable: number[] = []): string =>
    judgeQuery({ ...QUERY, ...query }, own, stable).outcome;

  it("passes within its limit, fails beyond it, and has no data without a value", () => {
    expect(outcome({}, [0.4])).toBe("pass");
    expect(outcome({}, [0.5])).toBe("fail");
    expect(outcome({ comparison: "<=" }, [0.5])).toBe("pass");
    expect(outcome({ comparison: ">" }, [0.4])).toBe("fail");
    expect(outcome({ comparison: ">=" }, [0.5])).toBe("pass");
    expect(outcome({}, [])).toBe("no-data");
    expect(outcome({}, [NaN])).toBe("no-data");
    expect(outcome({}, [0.1, 0.9, 0.2])).toBe("fail");
    expect(outcome({ comparison: ">" }, [0.9, 0.1])).toBe("fail");
  });

  it("is compared with the stable slot where it says so", () => {
    expect(outcome({ stableRatio: 2 }, [0.4], [0.3])).toBe("pass");
    expect(outcome({ stableRatio: 2 }, [0.4], [0.1])).toBe("fail");
    expect(outcome({ stableRatio: 2 }, [0.4], [])).toBe("no-data");
    expect(outcome({ stableRatio: 2 }, [0.6], [])).toBe("fail");
    expect(judgeQuery({ ...QUERY, stableRatio: 2 }, [0.6], [0.5])).toMatchObject({ outcome: "no-data", shared: true });
    expect(outcome({ comparison: ">", stableRatio: 0.5 }, [0.6], [0.7])).toBe("pass");
    expect(outcome({ comparison: ">", stableRatio: 0.5 }, [0.6], [1.3])).toBe("fail");
  });

  it("is checked when the settings are read", () => {
    const refusal = (changed: object): string | undefined =>
      gateQueries.safeParse(JSON.stringify([{ ...QUERY, ...changed }])).error?.issues[0]?.message;
    expect(refusal({})).toBeUndefined();
    expect(refusal({ query: 'sum(rate(x{slot="$slot"}[1m])' })).toContain("is no PromQL near");
    expect(refusal({ query: "vector(1)" })).toContain("$slot");
    expect(refusal({ comparison: "==" })).toContain("0.comparison");
    expect(refusal({ limit: "1" })).toContain("0.limit");
    expect(refusal({ name: "Not A Name" })).toContain("0.name");
    expect(refusal({ stableRatio: 0 })).toContain("0.stableRatio");
    expect(refusal({ surplus: 1 })).toContain("surplus");
    expect(gateQueries.safeParse("[").error?.issues[0]?.message).toBe("is no JSON");
    expect(gateQueries.safeParse(JSON.stringify([QUERY, QUERY])).error?.issues[0]?.message).toContain(
      "two gates named",
    );
    expect(gateQuery.safeParse(QUERY).data).toEqual(QUERY);
  });
});

describe("queries to a Prometheus", () => {
  let server: Server;
  let prometheus: Prometheus;
  const asked: string[] = [];
  let answer: unknown;
  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(new URL(request.url ?? "", "http://x").searchParams.get("query") ?? "");
      response.end(JSON.stringify(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    prometheus = new Prometheus(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
  });
  afterAll(() => {
    server.close();
  });
  const vector = (...values: string[]): unknown => ({
    status: "success",
    data: { resultType: "vector", result: values.map((value) => ({ metric: {}, value: [1, value] })) },
  });

  it("name the slot, and fail after the third look in a row", async () => {
    const gates = new QueryGates(prometheus, [QUERY], "green");
    const outcomes: string[] = [];
    for (const value of ["0.7", "0.7", "0.1", "0.7", "0.7", "0.7"]) {
      answer = vector(value);
      outcomes.push(...(await gates.look()).map((verdict) => verdict.outcome));
    }
    expect(outcomes).toEqual(["no-data", "no-data", "pass", "no-data", "no-data", "fail"]);
    expect(asked[0]).toBe(QUERY.query.replace("$slot", "green"));
  });

  it("ask for the stable slot where they are compared with it", async () => {
    asked.length = 0;
    answer = vector("0.1");
    const [verdict] = await new QueryGates(prometheus, [{ ...QUERY, stableRatio: 2 }], "green").look();
    expect(verdict?.outcome).toBe("pass");
    expect(asked.map((query) => /slot="(\w+)"/.exec(query)?.[1]).sort()).toEqual(["blue", "green"]);
  });

  it("have no data where Prometheus refuses", async () => {
    answer = { status: "error", error: "many-to-many matching" };
    const [verdict] = await new QueryGates(prometheus, [QUERY], "green").look();
    expect(verdict).toMatchObject({ outcome: "no-data" });
    expect(verdict?.detail).toContain("many-to-many");
    answer = { status: "success", data: { resultType: "matrix", result: [] } };
    await expect(prometheus.values("x[1m]")).rejects.toBeInstanceOf(PrometheusError);
    answer = { status: "success", data: { resultType: "scalar", result: [1, "3"] } };
    expect(await prometheus.values("3")).toEqual([3]);
  });
});

describe("the gate of memory", () => {
  const MB = 1e6;
  const random = generator(3);
  /** Megabytes every 2 s. */
  const memory = (slot: string, megabytes: (seconds: number) => number, seconds = 60): Series => ({
    labels: { __name__: SERVER_METRICS.residentMemory, slot, job: "server", instance: `${slot}:8080` },
    samples: Array.from({ length: seconds / 2 + 1 }, (_, index) => [index * 2, (megabytes(index * 2) + random()) * MB]),
  });
  const steady = memory("blue", () => 90);
  const outcome = (...series: Series[]): string | undefined => memoryGate(series, "green", 30, 0)?.outcome;

  it("fails a leak of 1 MB per second, and passes one that is below the limit", () => {
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

  it("holds where the growth began late, and has too few samples for less than half a minute", () => {
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

  it("takes no offence at what the stable slot does as well", () => {
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

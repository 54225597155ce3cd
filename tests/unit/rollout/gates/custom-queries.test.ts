import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gateQuery, type GateQuery } from "../../../../contract/gates.ts";
import { Prometheus, PrometheusError } from "../../../../operations/rollout/gates/prometheus.ts";
import { judgeQuery, QueryGates } from "../../../../operations/rollout/gates/custom-queries.ts";
import { gateQueries } from "../../../../stacks/settings/checks.ts";

const QUERY: GateQuery = {
  name: "providers",
  query: 'sum(rate(exai_provider_requests_total{slot="$slot",outcome="error"}[1m]))',
  comparison: "<",
  limit: 0.5,
};

describe("a custom query", () => {
  const outcome = (query: Partial<GateQuery>, own: number[], stable: number[] = []): string =>
    judgeQuery({ ...QUERY, ...query }, own, stable).verdict;

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

  it("is compared with the stable slot if it has a ratio", () => {
    expect(outcome({ stableRatio: 2 }, [0.4], [0.3])).toBe("pass");
    expect(outcome({ stableRatio: 2 }, [0.4], [0.1])).toBe("fail");
    expect(outcome({ stableRatio: 2 }, [0.4], [])).toBe("no-data");
    expect(outcome({ stableRatio: 2 }, [0.6], [])).toBe("fail");
    expect(judgeQuery({ ...QUERY, stableRatio: 2 }, [0.6], [0.5])).toMatchObject({ verdict: "no-data", shared: true });
    expect(outcome({ comparison: ">", stableRatio: 0.5 }, [0.6], [0.7])).toBe("pass");
    expect(outcome({ comparison: ">", stableRatio: 0.5 }, [0.6], [1.3])).toBe("fail");
  });

  it("is checked when the settings are read", () => {
    const refusal = (changed: object): string | undefined =>
      gateQueries.safeParse(JSON.stringify([{ ...QUERY, ...changed }])).error?.issues[0]?.message;
    expect(refusal({})).toBeUndefined();
    expect(refusal({ query: 'sum(rate(x{slot="$slot"}[1m])' })).toContain("is not PromQL near");
    expect(refusal({ query: "vector(1)" })).toContain("$slot");
    expect(refusal({ comparison: "==" })).toContain("0.comparison");
    expect(refusal({ limit: "1" })).toContain("0.limit");
    expect(refusal({ name: "Not A Name" })).toContain("0.name");
    expect(refusal({ stableRatio: 0 })).toContain("0.stableRatio");
    expect(refusal({ surplus: 1 })).toContain("surplus");
    expect(gateQueries.safeParse("[").error?.issues[0]?.message).toBe("is not JSON");
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

  it("name the slot, and fail at the third check in a row", async () => {
    const gates = new QueryGates(prometheus, [QUERY], "green");
    const outcomes: string[] = [];
    for (const value of ["0.7", "0.7", "0.1", "0.7", "0.7", "0.7"]) {
      answer = vector(value);
      outcomes.push(...(await gates.check()).map((verdict) => verdict.verdict));
    }
    expect(outcomes).toEqual(["no-data", "no-data", "pass", "no-data", "no-data", "fail"]);
    expect(asked[0]).toBe(QUERY.query.replace("$slot", "green"));
  });

  it("ask for the stable slot if they have a ratio", async () => {
    asked.length = 0;
    answer = vector("0.1");
    const [verdict] = await new QueryGates(prometheus, [{ ...QUERY, stableRatio: 2 }], "green").check();
    expect(verdict?.verdict).toBe("pass");
    expect(asked.map((query) => /slot="(\w+)"/.exec(query)?.[1]).sort()).toEqual(["blue", "green"]);
  });

  it("have no data if Prometheus refuses", async () => {
    answer = { status: "error", error: "many-to-many matching" };
    const [verdict] = await new QueryGates(prometheus, [QUERY], "green").check();
    expect(verdict).toMatchObject({
      verdict: "no-data",
      why: "query-refused",
      context: { message: "many-to-many matching" },
    });
    answer = { status: "success", data: { resultType: "matrix", result: [] } };
    await expect(prometheus.values("x[1m]")).rejects.toBeInstanceOf(PrometheusError);
    answer = { status: "success", data: { resultType: "scalar", result: [1, "3"] } };
    expect(await prometheus.values("3")).toEqual([3]);
  });
});

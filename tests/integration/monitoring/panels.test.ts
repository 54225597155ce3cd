import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CLUSTER_KINDS } from "../../../contract/envoy/names.ts";
import { RECORDS } from "../../../contract/monitoring.ts";
import { dashboards } from "../../../components/monitoring/grafana.ts";
import { dockerJobs } from "../../../components/monitoring/docker-jobs.ts";
import { renderPrometheus } from "../../../components/monitoring/prometheus.ts";
import { alertsOf, renderRules, ruleGroups } from "../../../components/monitoring/rules.ts";
import { freePort } from "../../support/free-ports.ts";
import { missing } from "../../support/missing.ts";
import { queriesOf } from "../../unit/monitoring/panel-queries.ts";
import { RULES } from "../../unit/monitoring/stack.ts";
import { failingShare, pretendStack, type BoundSpelling, type PretendedStack } from "./exporter.ts";
import { startDaemon, type Daemon } from "./tools.ts";

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

const queries = dashboards({ walArchive: true }).flatMap(queriesOf);

describe.skipIf(missing("prometheus")).each<BoundSpelling>(["plain", "fractional"])(
  "a real Prometheus over a pretended stack with %s bounds",
  (spelling) => {
    let stack: PretendedStack;
    let prometheus: Daemon;
    let directory: string;
    let url: string;

    const ask = async (expr: string): Promise<readonly Sample[]> => {
      const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: expr }).toString()}`);
      const body = (await answer.json()) as { status: string; error?: string; data: { result: readonly Sample[] } };
      if (body.status !== "success") throw new Error(`${expr}: ${body.error ?? String(answer.status)}`);
      return body.data.result;
    };
    const number = async (expr: string): Promise<number> => Number((await ask(expr))[0]?.value[1]);

    beforeAll(async () => {
      stack = await pretendStack(spelling);
      const port = await freePort();
      directory = await mkdtemp(join(tmpdir(), "exai-panels-"));
      url = `http://127.0.0.1:${port}`;
      const address = `127.0.0.1:${port}`;
      await writeFile(join(directory, "rules.yml"), renderRules(RULES));
      await writeFile(
        join(directory, "prometheus.yml"),
        renderPrometheus({
          externalLabels: { stack: "test" },
          // Prometheus answers for Alertmanager too: what matters here is a target that is up.
          jobs: dockerJobs({ ...stack, prometheus: address, alertmanager: address }).map((job) => ({
            ...job,
            intervalSeconds: 1,
          })),
          alertmanagers: [],
          ruleFiles: ["rules.yml"],
          intervalSeconds: 1,
        }),
      );
      prometheus = await startDaemon(
        "prometheus",
        [
          `--config.file=${directory}/prometheus.yml`,
          `--storage.tsdb.path=${directory}/data`,
          `--web.listen-address=${address}`,
          "--log.level=warn",
        ],
        `${url}/-/ready`,
      );
      // Two scrapes for a rate, then two evaluations of the slowest group (5 s) for a record of a record.
      const deadline = Date.now() + 60_000;
      while (Date.now() < deadline && (await ask(RECORDS.userSlowRatio5m)).length === 0) await sleep(500);
      await sleep(6000);
    });

    afterAll(async () => {
      await prometheus.stop();
      await stack.close();
      await rm(directory, { recursive: true, force: true });
    });

    it.each(queries.map((query) => [query.panel, query.expr]))("has data for %s", async (panel, expr) => {
      const samples = await ask(expr);
      expect(samples.length, `${panel}: ${expr}`).toBeGreaterThan(0);
      expect(
        samples.some((sample) => Number.isFinite(Number(sample.value[1]))),
        `${panel}: ${JSON.stringify(samples)}`,
      ).toBe(true);
    });

    it("records every series of the contract", async () => {
      for (const record of Object.values(RECORDS)) expect((await ask(record)).length, record).toBeGreaterThan(0);
    });

    it("measures the shares, errors and latencies that the stack has", async () => {
      expect(await number(`${RECORDS.requestShare1m}{slot="blue"}`)).toBeCloseTo(0.9, 1);
      expect(await number(RECORDS.userErrorRatio5m)).toBeCloseTo(failingShare(), 3);
      expect(await number(`${RECORDS.errorRatio5m}{slot="green"}`)).toBe(0);
      // A literal bound, in either spelling.
      expect(await number(RECORDS.userSlowRatio5m)).toBeCloseTo(0.1, 2);
      const p95 = await number(RECORDS.userP95Seconds5m);
      expect(p95).toBeGreaterThan(0.5);
      expect(p95).toBeLessThanOrEqual(1);
    });

    it("shows the router's clusters by slot and kind", async () => {
      const kinds = await ask("count by (slot, kind) (envoy_cluster_upstream_rq_active)");
      expect(kinds.map(({ metric }) => `${metric.slot ?? ""} ${metric.kind ?? ""}`).toSorted()).toEqual(
        ["blue", "green"].flatMap((slot) => CLUSTER_KINDS.toSorted().map((kind) => `${slot} ${kind}`)),
      );
    });

    it("has loaded every alert, and none but the Watchdog and the slow requests raises itself", async () => {
      const present = async () => {
        const answer = await fetch(`${url}/api/v1/rules?type=alert`);
        const body = (await answer.json()) as {
          data: { groups: { rules: { name: string; health: string; alerts: unknown[] }[] }[] };
        };
        return body.data.groups.flatMap((group) => group.rules);
      };
      const rules = await present();
      expect(rules.map((rule) => rule.name).toSorted()).toEqual(
        alertsOf(ruleGroups(RULES))
          .map((alert) => alert.alert)
          .toSorted(),
      );
      expect(rules.filter((rule) => rule.health !== "ok").map((rule) => rule.name)).toEqual([]);
      const raised = async () => (await present()).filter((rule) => rule.alerts.length > 0).map((rule) => rule.name);
      // The slow requests are a record of a record, and their alert is evaluated after it.
      await expect.poll(raised, { interval: 500 }).toEqual(["Watchdog", "LatencyP95High"]);
    });
  },
);

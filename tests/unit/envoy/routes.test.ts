import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { envoyBootstrap } from "../../../components/routing/bootstrap.ts";
import { evictionStat, ENVOY_METRIC_RELABELLING } from "../../../contract/envoy/metrics.ts";
import {
  CLUSTERS,
  clusterName,
  metricsClusterName,
  OBSERVE_PATHS,
  parseClusterName,
} from "../../../contract/envoy/names.ts";
import { FIRST_TABLE, routesFile, sameTable, tableInForce, type RouteTable } from "../../../contract/envoy/routes.ts";
import { SLOTS } from "../../../contract/slots.ts";
import { tables } from "./tables.ts";

/** What Envoy's dump of a file looks like, as far as the read-back reads it. */
function dumpOf(table: RouteTable): { configs: { route_config: { virtual_hosts: { routes: unknown[] }[] } }[] } {
  const file = routesFile(table) as unknown as { resources: { virtual_hosts: { routes: unknown[] }[] }[] };
  return { configs: file.resources.map((resource) => ({ route_config: resource })) };
}

describe("a route table", () => {
  it("is read back as it was written", () => {
    fc.assert(
      fc.property(tables, (table) => {
        const read = tableInForce(dumpOf(table));
        expect(read).toEqual(table);
        expect(read !== undefined && sameTable(read, table)).toBe(true);
      }),
    );
  });

  it("is not taken for another one", () => {
    fc.assert(
      fc.property(tables, tables, (a, b) => {
        expect(sameTable(a, b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });

  it("is refused by the read-back when its routes contradict each other", () => {
    const dump = dumpOf(FIRST_TABLE);
    const routes = dump.configs[0]?.route_config.virtual_hosts[0]?.routes ?? [];
    routes.push({
      route: {
        weighted_clusters: {
          clusters: [
            { name: "blue", weight: 1 },
            { name: "green", weight: 99 },
          ],
        },
      },
    });
    expect(() => tableInForce(dump)).toThrow("contradict");
    expect(tableInForce({ configs: [] })).toBeUndefined();
  });

  it.each([
    { blue: 50, green: 49 },
    { blue: 101, green: -1 },
    { blue: 0.5, green: 99.5 },
  ])("refuses the weights %j", (weights) => {
    expect(() => routesFile({ ...FIRST_TABLE, weights })).toThrow(RangeError);
  });
});

describe("the router's configuration", () => {
  it("has a cluster for each slot and kind, and names that read both ways", () => {
    const { static_resources } = envoyBootstrap({ webSocketPort: 8079, accessKeys: "{}" }) as unknown as {
      static_resources: { clusters: { name: string }[] };
    };
    const names = static_resources.clusters.map((cluster) => cluster.name);
    const others = [...SLOTS.map(metricsClusterName), "admin"];
    expect(names).toEqual([...CLUSTERS.map(({ slot, kind }) => clusterName(slot, kind)), ...others]);
    for (const each of CLUSTERS) expect(parseClusterName(clusterName(each.slot, each.kind))).toEqual(each);
    for (const name of [...others, "blue-", "blue-stream-x", "blue-plain", "red", "plain"])
      expect(parseClusterName(name)).toBeUndefined();
  });

  it("relabels exactly its users' clusters", () => {
    // Prometheus anchors the expressions.
    const labels = (name: string): Record<string, string> =>
      Object.fromEntries(
        ENVOY_METRIC_RELABELLING.flatMap((rule) => {
          const match = new RegExp(`^(?:${rule.regex})$`).exec(name);
          return match === null ? [] : [[rule.target_label, rule.replacement.replace("$1", match[1] ?? "")]];
        }),
      );
    for (const each of CLUSTERS) expect(labels(clusterName(each.slot, each.kind))).toEqual(each);
    for (const name of [...SLOTS.map(metricsClusterName), "admin"]) expect(labels(name)).toEqual({});
    expect(labels("bluebird")).toEqual({});
  });

  it("has a statistic per evicted slot that shows whether the slot was emptied", () => {
    fc.assert(
      fc.property(tables, (table) => {
        const routes = dumpOf(table).configs.flatMap(({ route_config }) => route_config.virtual_hosts[0]?.routes ?? []);
        const names = routes.flatMap((route) => (route as { stat_prefix?: string }).stat_prefix ?? []);
        const said = table.evicted.map((each) =>
          evictionStat(table.emptied.includes(each) ? "emptied" : "evicted", each),
        );
        expect([...new Set(names)]).toEqual(said);
      }),
    );
  });

  it("publishes only what reads", () => {
    expect(Object.values(OBSERVE_PATHS).sort()).toEqual(
      ["/clusters", "/config_dump", "/listeners", "/ready", "/stats/prometheus"].sort(),
    );
  });
});

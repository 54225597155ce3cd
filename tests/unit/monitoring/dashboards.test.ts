import { describe, expect, it } from "vitest";
import { GRAFANA_PATHS, dashboards, grafanaFiles } from "../../../components/monitoring/grafana.ts";
import { DATASOURCE_UID } from "../../../components/monitoring/dashboards/panels.ts";
import { RECORDS } from "../../../contract/monitoring.ts";
import { queriesOf } from "./panel-queries.ts";
import { syntaxErrors } from "./promql.ts";

const all = dashboards({ walArchive: true });
const queries = all.flatMap(queriesOf);

describe("the dashboards", () => {
  it("have an identity that links can rely on", () => {
    expect(all.map((one) => one.uid)).toEqual(["exai-overview", "exai-slots", "exai-database", "exai-use"]);
    for (const one of all) {
      const ids = (one.panels ?? []).map((panel) => panel.id);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  it.each(queries.map((query) => [query.panel, query.expr]))("%s parses", (_, expr) => {
    expect(syntaxErrors(expr)).toEqual([]);
  });

  it("read records of the contract alone", () => {
    const known: ReadonlySet<string> = new Set(Object.values(RECORDS));
    for (const { expr } of queries) {
      for (const [name] of expr.matchAll(/\b(?:exai|slot|slot_le):[a-z0-9_:]+/gu)) expect(known).toContain(name);
    }
  });

  it("show both slots alike", () => {
    const slots = all[1];
    const titles = (slots?.panels ?? []).map((panel) => panel.title ?? "");
    const of = (slot: string): string[] =>
      titles.filter((title) => title.startsWith(`${slot}:`)).map((title) => title.slice(slot.length));
    expect(of("blue")).toEqual(of("green"));
    expect(of("blue").length).toBeGreaterThan(4);
  });

  it("leave the recovery point out where the provider keeps the log", () => {
    const hosted = dashboards({ walArchive: false }).flatMap(queriesOf);
    expect(queries.some(({ expr }) => expr.includes("exai_wal_"))).toBe(true);
    expect(hosted.some(({ expr }) => expr.includes("exai_wal_"))).toBe(false);
  });
});

describe("grafanaFiles", () => {
  const files = grafanaFiles({ prometheusUrl: "http://prometheus:9090", walArchive: true });

  it("provisions the data source that every panel asks", () => {
    expect(files[`${GRAFANA_PATHS.datasources}/exai.yaml`]).toContain(`uid: ${DATASOURCE_UID}`);
    for (const query of queries) expect(query.datasource).toBe(DATASOURCE_UID);
  });

  it("puts the dashboards where the provider looks", () => {
    expect(files[`${GRAFANA_PATHS.providers}/exai.yaml`]).toContain(`path: ${GRAFANA_PATHS.dashboards}`);
    expect(Object.keys(files).filter((path) => path.startsWith(`${GRAFANA_PATHS.dashboards}/`))).toHaveLength(4);
  });
});

import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { runnerSpec } from "../../components/backups/docker.ts";
import { drillTimes } from "../../components/backups/schedules.ts";
import { exporterQueries } from "../../components/monitoring/exporter-queries.ts";
import { postgresSpec } from "../../components/database/postgres.ts";
import { BACKUP_METRICS, USE_METRICS } from "../../contract/monitoring.ts";
import { parse } from "yaml";

const volumes = { data: "x-data", repository: "x-backups", socket: "x-socket" };
const postgres = postgresSpec(
  {
    image: "exai/postgres:15",
    password: "hunter2",
    monitorPassword: "hunter3",
    serverPassword: "hunter5",
    backupPassphrase: "hunter4",
    port: 5433,
  },
  volumes,
  "select 1;",
);
const runner = runnerSpec({
  ...{ image: "exai/postgres:15", schedules: [], drill: drillTimes("UTC"), volumes, scratch: "scratch" },
  passphrase: "hunter4",
});

describe("the local database's containers", () => {
  it("run as a user that the host does not have", () => {
    for (const { user } of [postgres, runner]) expect(user).toBe("10999:10999");
  });

  it("get secrets as files alone", () => {
    for (const spec of [postgres, runner]) {
      expect(JSON.stringify([spec.environment, spec.command, spec.healthCheck])).not.toContain("hunter");
      for (const file of spec.files ?? [])
        expect(file.secret === true).toBe((file.content as string).startsWith("hunter"));
    }
  });

  it("names files where the environment says they are", () => {
    for (const spec of [postgres, runner]) {
      const named = Object.entries(spec.environment ?? {}).filter(
        ([key]) => key.endsWith("_FILE") || key.endsWith("_SQL"),
      );
      expect(named.length).toBeGreaterThan(0);
      for (const [, path] of named) expect(spec.files?.map((file) => file.path)).toContain(path);
    }
  });

  it("lets the runner read the data and not write it", () => {
    expect(runner.volumes).toContainEqual({ name: "x-data", path: "/var/lib/postgresql/data", readOnly: true });
    expect(postgres.volumes).toContainEqual({ name: "x-data", path: "/var/lib/postgresql/data" });
    expect(runner.ports).toBeUndefined();
  });

  it("has a plain spec that no engine is needed for", () => {
    expect(pulumi.Output.isInstance(postgres.image)).toBe(false);
  });
});

describe("the exporter's queries", () => {
  it("export the series that alerts and dashboards use", () => {
    const queries = parse(exporterQueries()) as Record<string, { metrics: Record<string, unknown>[] }>;
    const series = Object.entries(queries).flatMap(([name, { metrics }]) =>
      metrics.flatMap((metric) => Object.keys(metric).map((column) => `${name}_${column}`)),
    );
    expect(series).toEqual(expect.arrayContaining([...Object.values(BACKUP_METRICS), ...Object.values(USE_METRICS)]));
  });
});

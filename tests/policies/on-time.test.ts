import { describe, expect, it } from "vitest";
import { Unknown, type Inputs, type Value } from "../../contract/graph.ts";
import { onTime } from "../../policies/rules/backups/on-time.ts";
import { gatewayRoutes } from "../../policies/rules/network/gateway-routes.ts";
import { secretMarks } from "../../policies/rules/secrets/marked.ts";
import { altered, outcome, resource, soundPodSpec } from "./support.ts";

const SCHEDULE = { name: "daily", kind: "full", schedule: "0 2 * * *", timeZone: "UTC", retentionDays: 30 };
const schedule = (change: Inputs = {}) => resource("exai:backups:BackupSchedule", { ...SCHEDULE, ...change });
const SPEC: Inputs = {
  schedule: "0 2 * * *",
  timeZone: "UTC",
  concurrencyPolicy: "Forbid",
  jobTemplate: {
    spec: { template: { metadata: { labels: { "exai.component": "backup" } }, spec: soundPodSpec() } },
  },
};
const job = (path: readonly string[] = ["x"], value?: Value) =>
  resource("kubernetes:batch/v1:CronJob", {
    metadata: { name: "backup-daily", namespace: "exai", labels: { "exai.component": "backup" } },
    spec: altered(SPEC, path, value),
  });
const found = (...resources: Parameters<typeof outcome>[2][]) => outcome(onTime, "prod", ...resources).findings.length;

describe("a declared backup", () => {
  it("needs a CronJob with the declared time and time zone", () => {
    expect(found(schedule(), job())).toBe(0);
    expect(found(schedule(), job(["suspend"], false))).toBe(0);
  });

  it.each<readonly [path: readonly string[], value: Value | undefined]>([
    [["schedule"], "0 3 * * *"],
    [["schedule"], undefined],
    [["timeZone"], undefined],
    [["timeZone"], "Europe/Berlin"],
    [["suspend"], true],
    [["concurrencyPolicy"], "Allow"],
    [["concurrencyPolicy"], undefined],
  ])("and not with %j %j", (path, value) => {
    expect(found(schedule(), job(path, value))).toBe(1);
  });

  it("needs a CronJob that takes backups", () => {
    const other = resource("kubernetes:batch/v1:CronJob", {
      metadata: { name: "other" },
      spec: { ...SPEC, jobTemplate: {} },
    });
    expect(found(schedule(), other)).toBe(1);
    expect(found(schedule())).toBe(1);
    expect(found(schedule(), schedule({ name: "hourly", schedule: "0 * * * *" }), job())).toBe(1);
  });

  it("needs no CronJob if its schedule is disabled; an unknown value does not count as disabled", () => {
    expect(found(schedule({ enabled: false }))).toBe(0);
    expect(found(schedule(), job(["schedule"], new Unknown("x")))).toBe(1);
    expect(found(schedule({ schedule: new Unknown("x") }), job())).toBe(1);
  });
});

describe("the routes of a gateway", () => {
  it.each([
    ["Same", 0],
    ["Selector", 0],
    ["All", 1],
    [undefined, 0],
  ] as const)("routes from %s", (from, findings) => {
    const namespaces = from === undefined ? {} : { from };
    const gateway = resource("kubernetes:gateway.networking.k8s.io/v1:Gateway", {
      spec: { listeners: [{ name: "https", allowedRoutes: { namespaces } }] },
    });
    expect(outcome(gatewayRoutes, "prod", gateway).findings).toHaveLength(findings);
  });
});

describe("a generated password", () => {
  it("must be in additionalSecretOutputs", () => {
    const type = "random:index/randomPassword:RandomPassword";
    const plain = resource(type, { length: 48 });
    const secret = { ...plain, options: { ...plain.options, additionalSecretOutputs: ["result"] } };
    expect(outcome(secretMarks, "prod", plain).findings).toHaveLength(1);
    expect(outcome(secretMarks, "prod", secret).findings).toEqual([]);
  });
});

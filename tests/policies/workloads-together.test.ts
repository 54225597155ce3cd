import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Inputs, type Resource, type Value } from "../../contract/graph.ts";
import { imageName } from "../../policies/reading/kubernetes/image-names.ts";
import { quantity } from "../../policies/reading/kubernetes/quantities.ts";
import { scaled } from "../../policies/reading/kubernetes/replicas.ts";
import { matches } from "../../policies/reading/kubernetes/selectors.ts";
import { Reader } from "../../policies/model/reader.ts";
import { RULES } from "../../policies/rules/index.ts";
import { altered, outcome, resource, soundPodSpec } from "./support.ts";

const found = (name: string, ...resources: readonly Resource[]) => {
  const rule = RULES.find((candidate) => candidate.name === name);
  if (rule === undefined) throw new Error(name);
  return outcome(rule, "prod", ...resources).findings.map(({ message }) => message);
};
const META = { name: "web", namespace: "exai" };
const workload = (replicas: Value, more: Inputs = {}, kind = "Deployment") =>
  resource(`kubernetes:apps/v1:${kind}`, {
    metadata: META,
    spec: {
      replicas,
      template: { metadata: { labels: { app: "web", tier: "front" } }, spec: soundPodSpec() },
      ...more,
    },
  });
const budget = (spec: Inputs, selector: Value = { matchLabels: { app: "web" } }) =>
  resource("kubernetes:policy/v1:PodDisruptionBudget", {
    metadata: META,
    spec: { ...spec, ...(selector === null ? {} : { selector }) },
  });
const scaler = (minReplicas: Value, maxReplicas: Value, name = "web") =>
  resource("kubernetes:autoscaling/v2:HorizontalPodAutoscaler", {
    metadata: META,
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name }, minReplicas, maxReplicas },
  });
const budgets = (...resources: readonly Resource[]) => found("workload-disruption-budgets", ...resources).length;

describe("budgets, autoscalers and updates together", () => {
  it.each([
    [3, { minAvailable: "90%" }, 1], // rounded up to 3
    [3, { minAvailable: "66%" }, 0], // rounded up to 2
    [3, { maxUnavailable: "1%" }, 0], // rounded up to 1
    [3, { maxUnavailable: "99%" }, 1], // rounded up to 3: none is kept
    [3, { maxUnavailable: 0 }, 1],
    [3, { maxUnavailable: "0%" }, 1],
    [3, { minAvailable: "150%" }, 1],
    [3, { minAvailable: "2" }, 1], // neither a number nor a percentage
    [3, {}, 1],
    [2, { maxUnavailable: 1 }, 0],
  ] as const)("of %j replicas under %j: findings %j", (replicas, spec, count) => {
    expect(budgets(workload(replicas), budget(spec))).toBe(count);
    expect(budgets(workload(replicas, {}, "StatefulSet"), budget(spec))).toBe(count);
  });

  it("two budgets on one pod stop every eviction", () => {
    const second = { ...budget({ minAvailable: 1 }, { matchLabels: { tier: "front" } }), name: "second" };
    expect(found("workload-disruption-budgets", workload(3), budget({ minAvailable: 1 }), second)[0]).toContain(
      "2 disruption budgets",
    );
    expect(
      budgets(workload(3), budget({ minAvailable: 1 }), budget({ minAvailable: 1 }, { matchLabels: { app: "x" } })),
    ).toBe(0);
  });

  it("selectors are read as Kubernetes reads them", () => {
    const expression = { matchExpressions: [{ key: "app", operator: "In", values: ["web", "api"] }] };
    expect(budgets(workload(3), budget({ minAvailable: 1 }, expression))).toBe(0);
    expect(budgets(workload(3), budget({ minAvailable: 1 }, {}))).toBe(0);
    expect(budgets(workload(3), budget({ minAvailable: 1 }, null))).toBe(1);
  });

  it("the limits of an autoscaler count, not the replicas of the workload", () => {
    expect(budgets(workload(1), budget({ minAvailable: 1 }), scaler(1, 5))).toBe(1);
    expect(budgets(workload(1), budget({ minAvailable: 1 }), scaler(2, 5))).toBe(0);
    expect(budgets(workload(1), budget({ minAvailable: 4 }), scaler(2, 5))).toBe(1);
    expect(budgets(workload(1), scaler(2, 5))).toBe(1);
    expect(budgets(workload(1), scaler(2, 5, "other"))).toBe(0);
    expect(budgets(workload(1), budget({ maxUnavailable: "50%" }), scaler(2, 9))).toBe(0);
  });

  it("an update keeps a replica", () => {
    const sound = budget({ minAvailable: 1 });
    const update = (strategy: Inputs) => budgets(workload(3, { strategy }), sound);
    expect(update({ type: "Recreate" })).toBe(1);
    expect(update({ rollingUpdate: { maxUnavailable: "100%" } })).toBe(1);
    expect(update({ rollingUpdate: { maxUnavailable: 3 } })).toBe(1);
    expect(update({ rollingUpdate: { maxUnavailable: "99%" } })).toBe(0);
  });

  it("replicas are spread by a selector with expressions, and not by an absent one", () => {
    const spread = (labelSelector: Value | undefined) =>
      found(
        "workload-spread",
        workload(3, {
          template: {
            metadata: { labels: { app: "web" } },
            spec: {
              ...soundPodSpec(),
              topologySpreadConstraints: [
                {
                  maxSkew: 1,
                  topologyKey: "kubernetes.io/hostname",
                  whenUnsatisfiable: "ScheduleAnyway",
                  ...(labelSelector === undefined ? {} : { labelSelector }),
                },
              ],
            },
          },
        }),
      ).length;
    expect(spread({ matchExpressions: [{ key: "app", operator: "Exists" }] })).toBe(0);
    expect(spread({ matchExpressions: [{ key: "app", operator: "NotIn", values: ["web"] }] })).toBe(1);
    expect(spread(undefined)).toBe(1);
  });

  it("percentages of a total are rounded as the controllers round them", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 1, max: 50 }), (percent, total) => {
        const [up, down] = (["up", "down"] as const).map((way) => scaled(Reader.of(`${percent}%`), total, way) ?? -1);
        expect((up ?? 0) - (down ?? 0)).toBe((percent * total) % 100 === 0 ? 0 : 1);
        expect((down ?? 0) * 100).toBeLessThanOrEqual(percent * total);
      }),
    );
  });

  it("an operator of a selector is the opposite of its counterpart", () => {
    const labels = fc.dictionary(fc.constantFrom("a", "b"), fc.constantFrom("x", "y"));
    fc.assert(
      fc.property(
        labels,
        fc.constantFrom("a", "b"),
        fc.subarray(["x", "y"], { minLength: 1 }),
        (given, key, values) => {
          const holds = (operator: string) =>
            matches(Reader.of({ matchExpressions: [{ key, operator, values }] }), Reader.of(given));
          expect(holds("In")).toBe(!holds("NotIn"));
          expect(holds("Exists")).toBe(!holds("DoesNotExist"));
          expect(holds("Sometimes")).toBe(false);
        },
      ),
    );
  });
});

describe("quantities and image names", () => {
  it.each([
    ["100m", 0.1],
    ["1.5Gi", 1.5 * 2 ** 30],
    [".5", 0.5],
    ["1e3", 1000],
    ["1E", 1e18],
    ["1E3", 1000],
    ["12u", 12e-6],
    ["1K", undefined],
    ["1 Gi", undefined],
    ["much", undefined],
    ["", undefined],
    [2, 2],
  ])("the quantity %j is %j", (text, value) => {
    if (value === undefined) expect(quantity(text)).toBeUndefined();
    else expect(quantity(text)).toBeCloseTo(value, 12);
  });

  it("a limit is below what a node has, and not below the request", () => {
    const limited = (path: readonly string[], value: Value) =>
      found(
        "kubernetes-resources",
        resource("kubernetes:core/v1:Pod", {
          spec: altered(soundPodSpec(), ["containers", 0, "resources", ...path], value),
        }),
      ).length;
    expect(limited(["limits", "memory"], "0.5Gi")).toBe(0);
    expect(limited(["limits", "memory"], "1E")).toBe(1);
    expect(limited(["requests", "memory"], "2Gi")).toBe(1);
    expect(limited(["requests", "cpu"], "-1")).toBe(1);
  });

  it.each([
    ["nginx", "docker.io", "library/nginx"],
    ["index.docker.io/library/nginx:1", "docker.io", "library/nginx"],
    ["org/app@sha256:ab", "docker.io", "org/app"],
    ["EvilOrg/tool:1", "evilorg", "tool"],
    ["GHCR.io/org/app:1", "ghcr.io", "org/app"],
    ["localhost:5000/app", "localhost:5000", "app"],
    ["localhost/app", "localhost", "app"],
    ["ghcr.io/Org/app", undefined, undefined],
    ["ghcr.io/org/app:", undefined, undefined],
  ])("%s is of %s", (reference, registry, repository) => {
    expect([imageName(reference)?.registry, imageName(reference)?.repository]).toEqual([registry, repository]);
  });

  it("registries are approved by their name, in any spelling", () => {
    const refused = (image: string) =>
      found(
        "image-registries",
        resource("kubernetes:core/v1:Pod", { spec: altered(soundPodSpec(), ["containers", 0, "image"], image) }),
      ).length;
    for (const host of [
      "index.docker.io/org",
      "shop-e3bac7.azurecr.io",
      "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
      "GHCR.IO/org",
    ])
      expect(refused(`${host}/app:1`), host).toBe(0);
    for (const host of ["EvilOrg", "docker.io.example.com/org", "ghcr.io.example.com/org", "x.azurecr.io.example.com"])
      expect(refused(`${host}/app:1`), host).toBe(1);
  });
});

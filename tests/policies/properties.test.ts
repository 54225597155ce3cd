import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Secret, Unknown, type Inputs, type Resource, type Value } from "../../contract/graph.ts";
import { evaluate, type Outcome } from "../../policies/model/evaluate.ts";
import { Reader } from "../../policies/model/reader.ts";
import { judgeStack, planReportOf } from "../../policies/report/model.ts";
import { renderPlan } from "../../cli/commands/plan.ts";
import { RULES } from "../../policies/rules/index.ts";
import {
  altered,
  DOCKER,
  graph,
  pathsOf,
  POD_KINDS,
  podResource,
  resource,
  soundDocker,
  soundPodSpec,
} from "./support.ts";

const RESOURCE_RULES = RULES.filter((rule) => rule.scope === "resource");
const SCHEDULE = { name: "daily", kind: "full", schedule: "0 2 * * *", timeZone: "UTC", retentionDays: 30 };

/** Resources with all kinds of places that the rules read. */
const SOUND: readonly Resource[] = [
  ...POD_KINDS.map((kind) => podResource(kind, soundPodSpec())),
  resource(DOCKER, soundDocker()),
  resource("kubernetes:core/v1:Secret", { metadata: { namespace: "exai" }, stringData: { token: new Secret("x") } }),
  resource("kubernetes:core/v1:ConfigMap", { metadata: { namespace: "exai" }, data: { "a.conf": "level = info" } }),
  resource("kubernetes:rbac.authorization.k8s.io/v1:Role", {
    metadata: { namespace: "exai" },
    rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
  }),
  resource("exai:backups:BackupSchedule", SCHEDULE),
];

/** Values that are malformed at most places. */
const WRONG: readonly (Value | undefined)[] = [
  undefined,
  null,
  "",
  "root",
  0,
  -1,
  true,
  false,
  [],
  {},
  ["x"],
  { x: 1 },
  "ALL",
  10001,
  new Secret("x"),
  new Unknown("elsewhere"),
];

const anySound = fc.constantFrom(...SOUND);
const broken = fc
  .tuple(anySound, fc.array(fc.tuple(fc.nat(), fc.constantFrom(...WRONG)), { minLength: 1, maxLength: 4 }))
  .map(([sound, changes]) =>
    changes.reduce<Resource>((current, [pick, value]) => withChange(current, pick, value), sound),
  );

function withChange(current: Resource, pick: number, value: Value | undefined): Resource {
  const paths = [...pathsOf(current.inputs)];
  const path = paths[pick % paths.length];
  return path === undefined ? current : { ...current, inputs: altered(current.inputs, path, value) as Inputs };
}

function judged(one: Resource): Outcome[] {
  const context = { graph: graph("prod", one), environment: "prod" as const };
  return evaluate(RESOURCE_RULES, context, new Error("no database"));
}

describe("three-valued rules", () => {
  it("an unknown value never hides a finding at another place, and never makes an unknown place pass", () => {
    fc.assert(
      fc.property(broken, fc.nat(), (before, pick) => {
        const paths = [...pathsOf(before.inputs)];
        const path = paths[pick % paths.length];
        if (path === undefined) return;
        const marker = "replaced.by.the.test";
        const after = { ...before, inputs: altered(before.inputs, path, new Unknown(marker)) as Inputs };
        const [left, right] = [judged(before), judged(after)];
        for (const [index, outcome] of left.entries()) {
          const now = right[index];
          if (now === undefined) throw new Error("the same rules");
          const stays = new Set([...now.findings, ...now.deferred].map((entry) => entry.place.path));
          const opened =
            now.deferred.some((entry) => entry.because.includes(marker)) ||
            now.findings.some((entry) => entry.message.startsWith("cannot be judged"));
          for (const finding of outcome.findings) {
            if (stays.has(finding.place.path)) continue;
            // For an unknown map, the finding is about its single placeholder instead of its entries.
            if (
              now.findings.some(
                (other) =>
                  other.place.path.endsWith(".*") && finding.place.path.startsWith(other.place.path.slice(0, -1)),
              )
            )
              continue;
            // A finding may disappear only if it is about the replaced place, and that place must be deferred now.
            expect(opened, `${outcome.rule.name} ${finding.place.path} vanished`).toBe(true);
            expect(
              related(finding.place.path, path) || sharedWithPod(path),
              `${outcome.rule.name}: ${finding.place.path} by ${path.join(".")}`,
            ).toBe(true);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("no rule throws on a malformed resource", () => {
    fc.assert(
      fc.property(broken, (one) => {
        for (const outcome of judged(one)) expect(outcome.inconclusive ?? "").not.toContain("the rule failed");
      }),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.constantFrom(...SOUND.map(({ type }) => type)), fc.object(), (type, inputs) => {
        for (const outcome of judged(resource(type, inputs as Inputs)))
          expect(outcome.inconclusive ?? "").not.toContain("the rule failed");
      }),
      { numRuns: 1000 },
    );
  });

  it("a pod with missing or malformed containers fails all rules about containers", () => {
    const about = [
      "kubernetes-privileged",
      "kubernetes-run-as-non-root",
      "kubernetes-capabilities",
      "kubernetes-read-only-root",
      "image-digests",
    ];
    for (const containers of [undefined, null, {}, "main", 7] as const)
      for (const outcome of judged(
        podResource(POD_KINDS[3] ?? SOUND_KIND, altered(soundPodSpec(), ["containers"], containers) as Inputs),
      ))
        if (about.includes(outcome.rule.name))
          expect(outcome.findings.length, `${outcome.rule.name} ${typeof containers}`).toBeGreaterThan(0);
  });

  it("no report shows a value that is marked secret", () => {
    const hidden = "correct-horse-battery-staple";
    fc.assert(
      fc.property(anySound, fc.nat(), (sound, pick) => {
        const one = withChange(sound, pick, new Secret(hidden));
        const report = judgeStack(RULES, graph("prod", one), new Error("no database"));
        expect(JSON.stringify(report)).not.toContain(hidden);
        expect(renderPlan(planReportOf([report]), "text")).not.toContain(hidden);
      }),
      { numRuns: 500 },
    );
  });

  it("a reader answers every question about any value", () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), (value, key) => {
        const reader = Reader.of(value as Value).at(key, "x");
        expect(() => [
          reader.each(),
          reader.entries(),
          reader.shown,
          reader.is("x"),
          reader.isAbsent,
          reader.text,
          reader.number,
          [...reader.leaves()],
        ]).not.toThrow();
      }),
    );
  });
});

const SOUND_KIND = ["kubernetes:core/v1:Pod", (template: Inputs) => template] as const;

function dotted(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? key : `${text}.${key}`),
    "",
  );
}

/** Whether one of two places contains the other, or both are in the same object. */
function related(finding: string, replaced: readonly (string | number)[]): boolean {
  const parent = dotted(replaced.slice(0, -1));
  const place = dotted(replaced);
  return finding.startsWith(place) || place.startsWith(finding) || (parent !== "" && finding.startsWith(parent));
}

/** Fields of a pod that its containers inherit, or that change which checks apply to them. */
function sharedWithPod(path: readonly (string | number)[]): boolean {
  return ["securityContext", "os", "hostUsers", "spec", "metadata"].some((key) => path.includes(key));
}

import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { Secret, Unknown, type Inputs, type Resource, type ResourceGraph, type Value } from "../../contract/graph.ts";
import { environmentOf } from "../../policies/model/environment.ts";
import { evaluate, type Finding, type Outcome } from "../../policies/model/evaluate.ts";
import { RULES } from "../../policies/rules/index.ts";
import { capture } from "../../synth/capture.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { faultyStack } from "./faulty-stack.ts";
import { altered, pathsOf } from "./support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NO_DATABASE = new Error("the rules about the database read no resource");
const GRAPH_RULES = RULES.filter((rule) => rule.scope !== "database");

/** Values that the stacks do not contain and that no field accepts. */
const MALFORMED: readonly Value[] = [{ nobody: { knows: [null] } }, [[]], -7.5, new Secret({ x: 1 }), "\u0000"];

type Path = readonly (string | number)[];

/** A stack with the places of all its resources, and the outcomes of the rules. */
interface Stack {
  readonly graph: ResourceGraph;
  readonly places: readonly (readonly [index: number, path: Path])[];
  readonly outcomes: readonly Outcome[];
}
const stacks = new Map<string, Stack>();

beforeAll(async () => {
  for (const name of ["prod", "local"]) {
    const graph = faultyStack(await capture(name, stackFileSource(ROOT, name, { defers: true })));
    // One place for each field of a kind: the same field of another container adds nothing.
    const places = new Map<string, readonly [index: number, path: Path]>();
    for (const [index, one] of graph.resources.entries())
      for (const path of pathsOf(one.inputs)) {
        const field = `${one.type} ${path.map((key) => (typeof key === "number" ? "*" : key)).join(".")}`;
        if (!places.has(field)) places.set(field, [index, path]);
      }
    stacks.set(name, { graph, places: [...places.values()], outcomes: judged(graph) });
  }
});

function judged(graph: ResourceGraph): Outcome[] {
  return evaluate(GRAPH_RULES, { graph, environment: environmentOf(graph) }, NO_DATABASE);
}

/** A stack with another value at one of its places; `pick` chooses it. */
function changed(stack: Stack, pick: number, value: Value): { graph: ResourceGraph; resource: Resource; path: Path } {
  const [index, path] = stack.places[pick % stack.places.length] ?? [0, []];
  const resource = stack.graph.resources[index];
  if (resource === undefined) throw new Error("a place is a resource's");
  const worse = { ...resource, inputs: altered(resource.inputs, path, value) as Inputs };
  const resources = stack.graph.resources.with(index, worse);
  return { graph: { ...stack.graph, resources }, resource: worse, path };
}

function keyOf({ policy, place }: Finding): string {
  return `${policy} ${place.resource?.urn ?? place.object ?? ""} ${place.path}`;
}

describe.each(["prod", "local"])("all rules over the whole stack %s", (name) => {
  const stack = (): Stack => {
    const found = stacks.get(name);
    if (found === undefined) throw new Error(`${name} was not captured`);
    return found;
  };

  it("start with findings of many rules", () => {
    expect(stack().outcomes.filter(({ findings }) => findings.length > 0).length).toBeGreaterThan(
      name === "prod" ? 8 : 3,
    );
  });

  it("lose no finding because of an unknown value: it stays, or its rule defers it for that value", () => {
    const marker = "replaced.by.the.test";
    fc.assert(
      fc.property(fc.nat(), (pick) => {
        const { graph, resource, path } = changed(stack(), pick, new Unknown(marker));
        for (const [index, now] of judged(graph).entries()) {
          const before = stack().outcomes[index];
          if (before === undefined) throw new Error("the same rules");
          // A stack rule may report a missing thing at another place then.
          if (now.rule.scope === "stack" && now.findings.length >= before.findings.length) continue;
          const stays = new Set(now.findings.map(keyOf));
          const about = (because: string) => because === marker || because.startsWith(`${resource.name} `);
          const open =
            now.deferred.some(({ because }) => because.some(about)) ||
            now.findings.some(({ message, fix }) => message.startsWith("cannot be judged") && fix.includes(marker)) ||
            now.inconclusive !== undefined;
          for (const finding of before.findings)
            if (!stays.has(keyOf(finding)))
              expect(open, `${keyOf(finding)} vanished behind ${path.join(".")}`).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("neither throw on a malformed value nor miss a fault elsewhere because of it", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(...MALFORMED), (pick, value) => {
        const { graph, resource, path } = changed(stack(), pick, value);
        for (const [index, now] of judged(graph).entries()) {
          expect(now.inconclusive ?? "").not.toContain("the rule failed");
          const before = stack().outcomes[index];
          const stays = new Set(now.findings.map(keyOf));
          // A finding of a resource rule about another resource does not depend on this one.
          if (now.rule.scope !== "resource") continue;
          for (const finding of before?.findings ?? [])
            if (finding.place.resource?.urn !== resource.urn)
              expect(stays.has(keyOf(finding)), `${keyOf(finding)} vanished by ${path.join(".")}`).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });
});

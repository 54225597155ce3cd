import { describe, expect, test } from "vitest";
import type { UserError } from "../../../contract/errors.ts";
import type { ResourceGraph } from "../../../contract/graph.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { ProgramGuard } from "../../../policies/pack/guard.ts";
import { capture } from "../../../synth/capture.ts";
import { stackFileSource } from "../../../synth/stack-file.ts";

const captured = (stack: string) => capture(stack, stackFileSource(PROJECT_ROOT, stack, { defers: true }));

/** What refuses a graph: each resource first, then all together. */
function judge(graph: ResourceGraph, environment: "local" | "staging" | "prod"): UserError | undefined {
  const guard = new ProgramGuard(environment, PROJECT_ROOT);
  try {
    for (const resource of graph.resources) guard.judgeResource(resource, graph.stack, graph.project);
    guard.judgeStack(graph);
    return undefined;
  } catch (error) {
    return error as UserError;
  }
}

/** The graph with other inputs of one resource. */
function changed(graph: ResourceGraph, name: string, inputs: Readonly<Record<string, boolean>>): ResourceGraph {
  const resources = graph.resources.map((each) =>
    each.name === name ? { ...each, inputs: { ...each.inputs, ...inputs } } : each,
  );
  return { ...graph, resources };
}

describe("a program that the engine runs without the pack", () => {
  test.each(["local", "staging", "prod"] as const)("allows the stack %s unchanged", async (stack) => {
    expect(judge(await captured(stack), stack)).toBeUndefined();
  });

  test("refuses a container that is privileged, before the engine gets it", async () => {
    const graph = await captured("local");
    const error = judge(changed(graph, "server-green", { privileged: true }), "local");
    expect(error).toMatchObject({ code: "policy-violation", exitCode: 1 });
    expect(error?.message).toContain("docker-privileged on server-green");
  });

  test("refuses a stack that lacks a part, when all resources are known", async () => {
    const graph = await captured("prod");
    const { resources } = graph;
    const error = judge({ ...graph, resources: resources.filter(({ name }) => name !== "server-green") }, "prod");
    expect(error?.message).toContain("rollout-slots");
  });
});

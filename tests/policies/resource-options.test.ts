import * as docker from "@pulumi/docker";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { RULES } from "../../policies/rules/index.ts";
import { captureProgram } from "../../synth/capture.ts";
import { outcomeIn } from "./support.ts";

/** What a rule says of a program: names and messages. */
async function messages(rule: string, program: () => void): Promise<readonly string[]> {
  const graph = await captureProgram("prod", () => {
    program();
    return Promise.resolve({});
  });
  const found = RULES.find(({ name }) => name === rule);
  if (found === undefined) throw new Error(rule);
  return outcomeIn(found, graph).findings.map(({ place, message }) => `${place.resource?.name ?? ""}: ${message}`);
}

const opening = (name: string, opts: pulumi.CustomResourceOptions = {}) =>
  new k8s.networking.v1.NetworkPolicy(name, { metadata: { namespace: "exai" }, spec: { podSelector: {} } }, opts);

it("what only the engine changes, or keeps, is a finding", async () => {
  expect(
    await messages("resource-options", () => {
      const namespace = new k8s.core.v1.Namespace("exai");
      opening("sound", { deletedWith: namespace, aliases: [{ name: "earlier" }], deleteBeforeReplace: true });
      opening("transformed", { transforms: [({ props, opts }) => ({ props, opts })] });
      opening("before", { transformations: [({ props, opts }) => ({ props: props, opts })] });
      opening("kept", { retainOnDelete: true });
      opening("with", { deletedWith: new docker.Network("other", { name: "other" }) });
      new k8s.core.v1.PersistentVolumeClaim("claim", {}, { retainOnDelete: true });
      new k8s.core.v1.PersistentVolumeClaim("replaced", {}, { replaceOnChanges: ["spec"] });
      new k8s.batch.v1.Job("job", {}, { replaceOnChanges: ["spec"] });
    }),
  ).toEqual([
    "replaced: it holds data, and a change of spec replaces it",
    "kept: the engine leaves it in place when the program no longer has it",
    "transformed: the engine changes its inputs by transforms after the rules have judged them",
    "with: the engine does not delete it if other is deleted, which does not contain it",
  ]);
});

it("a transform of the stack concerns every later resource, one of a component its own", async () => {
  expect(
    await messages("resource-options", () => {
      const parent = new pulumi.ComponentResource(
        "exai:platform:Platform",
        "parent",
        {},
        {
          transforms: [({ props, opts }) => ({ props, opts })],
        },
      );
      opening("child", { parent });
    }),
  ).toEqual(["parent: the engine changes its inputs by transforms after the rules have judged them"]);
  expect(
    await messages("resource-options", () => {
      pulumi.runtime.registerResourceTransform(({ props, opts }) => ({ props, opts }));
      opening("later");
    }),
  ).toEqual([expect.stringContaining("later: the engine changes its inputs by transforms")]);
});

it("the objects of a stack go to one cluster", async () => {
  const two = (used: boolean) =>
    messages("one-cluster", () => {
      const provider = new k8s.Provider("cluster", { context: "a" });
      const other = new k8s.Provider("other", { context: "b" });
      opening("one", { provider });
      opening("two", { provider });
      opening("three", { provider: used ? other : provider });
      opening("ambient");
    });
  expect(await two(false)).toEqual([]);
  expect(await two(true)).toEqual(["three: it goes to the cluster or the user of other, not to those of the stack"]);
});

import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { describe, expect, it } from "vitest";
import { Secret, Unknown } from "../../../contract/graph.ts";
import { UserErrors } from "../../../contract/errors.ts";
import { plainSource } from "../../../stacks/settings/source.ts";
import { capture, captureProgram } from "../../../synth/capture.ts";

class Box extends pulumi.ComponentResource {
  readonly password: pulumi.Output<string>;
  constructor(name: string) {
    super("exai:test:Box", name, { size: 3 });
    const password = new random.RandomPassword(`${name}-password`, { length: 20 }, { parent: this });
    this.password = password.result;
    new docker.Volume(
      `${name}-volume`,
      { name: "v", labels: [{ label: "id", value: password.id }] },
      { parent: this, protect: true, ignoreChanges: ["labels"], dependsOn: [password] },
    );
    this.registerOutputs({});
  }
}

const boxes = () =>
  captureProgram("test", () => {
    const box = new Box("box");
    new docker.Container("c", { image: "i", name: "c", envs: [pulumi.secret("A=1")], command: [box.password] });
    return Promise.resolve({ password: box.password, plain: "x" });
  });

describe("capture", () => {
  it("returns every resource with its parent, options, dependencies and source", async () => {
    const graph = await boxes();
    expect(graph.resources.map((resource) => resource.name).sort()).toEqual(["box", "box-password", "box-volume", "c"]);
    const volume = graph.resources.find((resource) => resource.name === "box-volume");
    expect(volume).toMatchObject({
      type: "docker:index/volume:Volume",
      custom: true,
      options: { protect: true, ignoreChanges: ["labels"] },
      source: { file: "tests/unit/synth/capture.test.ts" },
    });
    expect(volume?.parent).toMatch(/exai:test:Box::box$/);
    expect(volume?.dependencies.join()).toContain("box-password");
    expect(Object.keys(volume?.propertyDependencies ?? {})).toEqual(["labels"]);
    const box = graph.resources.find((resource) => resource.name === "box");
    expect(box).toMatchObject({ custom: false, inputs: { size: 3 } });
  });

  it("marks secrets and unknowns where they stand", async () => {
    const graph = await boxes();
    const container = graph.resources.find((resource) => resource.name === "c");
    expect(container?.inputs.envs).toEqual([new Secret("A=1")]);
    expect(container?.inputs.command).toEqual([new Secret(new Unknown("command[0]"))]);
    expect(graph.outputs.plain).toBe("x");
    expect(graph.outputs.password).toBeInstanceOf(Secret);
  });

  it("never shows a secret's content when it is serialized", async () => {
    expect(JSON.stringify(await boxes())).not.toContain("A=1");
    expect(String(new Secret("A=1"))).toBe("[secret]");
  });

  it("fills in the outputs that are known without an engine", async () => {
    const graph = await captureProgram(
      "test",
      async () => {
        const password = new random.RandomPassword("p", { length: 20 });
        new docker.Volume("v", { name: password.result });
        return Promise.resolve({});
      },
      { outputs: ({ type }) => (type.startsWith("random:") ? { result: "known" } : undefined) },
    );
    expect(graph.resources.find((resource) => resource.name === "v")?.inputs.name).toEqual(new Secret("known"));
  });

  it("throws what the program throws, and what a property rejects with", async () => {
    await expect(captureProgram("test", () => Promise.reject(new Error("boom")))).rejects.toThrow("boom");
    const late = captureProgram("test", async () => {
      new docker.Volume("v", { name: pulumi.output(Promise.reject<string>(new Error("late"))) });
      return Promise.resolve({});
    });
    await expect(late).rejects.toThrow("late");
  });

  it("runs captures one after another, each with its own resources", async () => {
    const one = (name: string) =>
      captureProgram("test", async () => {
        new docker.Volume(name, { name });
        return Promise.resolve({});
      });
    const graphs = await Promise.all([one("a"), one("b"), one("c")]);
    expect(graphs.map((graph) => graph.resources.map((resource) => resource.name))).toEqual([["a"], ["b"], ["c"]]);
  });

  it("refuses settings before any resource", async () => {
    await expect(capture("local", plainSource({ httpPort: "x" }))).rejects.toThrow(UserErrors);
  });

  it("is the same graph every time", async () => {
    const twice = await Promise.all([capture("local", plainSource({})), capture("local", plainSource({}))]);
    expect(JSON.stringify(twice[0])).toBe(JSON.stringify(twice[1]));
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../../../contract/errors.ts";
import { DEFERRED } from "../../../stacks/settings/source.ts";
import { stackFileSource } from "../../../synth/stack-file.ts";

describe("stackFileSource", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "exai-stack-file-"));
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const file = (content: string) => {
    writeFileSync(join(root, "Pulumi.prod.yaml"), content);
  };

  it("reads the project's keys as strings and defers encrypted ones", () => {
    file("config:\n  exai:httpPort: 8081\n  exai:grafana: true\n  kimiApiKey: {secure: v1:abc}\n  aws:region: eu\n");
    const source = stackFileSource(root, "prod");
    expect(source.keys).toEqual(["httpPort", "grafana", "kimiApiKey"]);
    expect(["httpPort", "grafana", "kimiApiKey"].map((key) => source.get(key))).toEqual(["8081", "true", DEFERRED]);
    expect(source.defers).toBe(false);
  });

  it("lets overrides win, with or without the namespace", () => {
    file("config:\n  exai:httpPort: 8081\n");
    const source = stackFileSource(root, "prod", { overrides: { "exai:httpPort": "1", wsPort: "2" }, defers: true });
    expect([source.get("httpPort"), source.get("wsPort"), source.defers]).toEqual(["1", "2", true]);
  });

  it("takes a file without configuration", () => {
    file("");
    expect(stackFileSource(root, "prod").keys).toEqual([]);
  });

  it.each([
    ["a missing file", undefined, /does not exist/],
    ["broken YAML", "config: [", /is not YAML/],
    ["a configuration that is a list", "config: [1]", /not a mapping/],
  ])("refuses %s", (_name, content, problem) => {
    if (content !== undefined) file(content);
    expect(() => stackFileSource(root, "prod")).toThrow(UserError);
    expect(() => stackFileSource(root, "prod")).toThrow(problem);
  });
});

// cspell:ignore confg exia replcas
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError, type UserErrors } from "../../../contract/errors.ts";
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
    file(
      "config:\n  exai:httpPort: 8081\n  exai:grafana: true\n  exai:kimiApiKey: {secure: v1:abc}\n  pulumi:tags: {a: b}\n",
    );
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

  it("reads merge keys as the engine does", () => {
    file("config:\n  <<: {exai:wsPort: 1, exai:httpPort: 2}\n  exai:httpPort: 3\n");
    const source = stackFileSource(root, "prod");
    expect([source.get("wsPort"), source.get("httpPort")]).toEqual(["1", "3"]);
  });

  const ignored: readonly [name: string, content: string, where: string, problem: RegExp, fix: string][] = [
    [
      "a key without namespace",
      "config:\n  replicas: 3\n",
      "config: replicas",
      /has no namespace/,
      "write exai:replicas",
    ],
    [
      "a misspelt key without namespace",
      "config:\n  replcas: 3\n",
      "config: replcas",
      /has no namespace/,
      "write exai:replicas",
    ],
    ["a key outside of config", "replicas: 3\n", "replicas", /is ignored/, "move it below config: as exai:replicas"],
    [
      "a full key outside of config",
      "exai:Replicas: 3\n",
      "exai:Replicas",
      /is ignored/,
      "move it below config: as exai:replicas",
    ],
    ["a misspelt section", "confg: {}\n", "confg", /did you mean config\?/, "edit Pulumi.prod.yaml"],
    [
      "a misspelt namespace",
      "config:\n  exia:replicas: 3\n",
      "config: exia:replicas",
      /namespace "exia"/,
      "write exai:replicas",
    ],
    [
      "a namespace in another case",
      "config:\n  EXAI:replicas: 3\n",
      "config: EXAI:replicas",
      /namespace "EXAI"/,
      "write exai:replicas",
    ],
    [
      "the namespace of another provider",
      "config:\n  aws:region: eu\n",
      "config: aws:region",
      /namespace "aws"/,
      "remove it from Pulumi.prod.yaml",
    ],
  ];

  it.each(ignored)("refuses %s, which nothing would read", (_name, content, where, problem, fix) => {
    file(content);
    let thrown: unknown;
    try {
      stackFileSource(root, "prod");
    } catch (error) {
      thrown = error;
    }
    const [error] = (thrown as UserErrors).errors;
    expect(error?.where).toBe(`Pulumi.prod.yaml: ${where.replace("config: ", "")}`);
    expect(error?.message).toMatch(problem);
    expect(String(error?.fix)).toBe(fix);
  });

  it("names every key that it refuses in one run", () => {
    file("replicas: 3\nconfig:\n  wsPort: 1\n  exia:image: x\n");
    expect(() => stackFileSource(root, "prod")).toThrow(/replicas[\s\S]*wsPort[\s\S]*exia:image/);
  });

  it.each([
    ["a missing file", undefined, /does not exist/],
    ["broken YAML", "config: [", /is not YAML/],
    ["a configuration that is a list", "config: [1]", /not a mapping/],
    ["a file that is a list", "- config", /not a mapping/],
    ["a key that is there twice", "config:\n  exai:wsPort: 1\n  exai:wsPort: 2\n", /Map keys must be unique/],
    ["an alias without its anchor", "config: *none\n", /YAML/],
    [
      "aliases that expand without end",
      `a0: &a0 [x]\n${Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(", ")}]`).join("\n")}\n`,
      /YAML/,
    ],
  ])("refuses %s", (_name, content, problem) => {
    if (content !== undefined) file(content);
    expect(() => stackFileSource(root, "prod")).toThrow(UserError);
    expect(() => stackFileSource(root, "prod")).toThrow(problem);
  });
});

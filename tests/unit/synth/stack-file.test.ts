// cspell:ignore confg exia replcas
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError, UserErrors } from "../../../contract/errors.ts";
import { DEFERRED } from "../../../stacks/settings/source.ts";
import { parseSettings } from "../../../stacks/settings.ts";
import { EMPTY_FILE, layered, stackFileSource } from "../../../synth/stack-file.ts";

/** The error about a place that an action throws; the first one if none is named. */
function refusal(action: () => unknown, where = ""): UserError {
  try {
    action();
  } catch (error) {
    const found = error instanceof UserErrors ? error.errors.find((each) => each.where.includes(where)) : error;
    if (found instanceof UserError) return found;
    throw error;
  }
  throw new Error("nothing was refused");
}

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

  it("takes anchors from outside of the configuration", () => {
    file("shared: &shared {exai:wsPort: 1}\nconfig:\n  <<: *shared\n");
    expect(stackFileSource(root, "prod").get("wsPort")).toBe("1");
  });

  it("reads the values of Pulumi.yaml below those of the stack", () => {
    writeFileSync(
      join(root, "Pulumi.yaml"),
      "config:\n  exai:wsPort: {type: integer, default: 9000}\n  exai:logLevel: {value: debug}\n  hostname: x.example.com\n  exai:image: {type: string, default: ''}\n",
    );
    file("config:\n  exai:wsPort: 8000\n");
    const source = stackFileSource(root, "prod");
    expect(["wsPort", "logLevel", "hostname", "image"].map((key) => source.get(key))).toEqual([
      "8000",
      "debug",
      "x.example.com",
      undefined,
    ]);
  });

  it("takes nothing and null for a value that is not set", () => {
    file("config:\n  exai:kubeContext: null\n  exai:hostname:\n  exai:image: ~\n");
    const source = stackFileSource(root, "prod");
    expect(["kubeContext", "hostname", "image"].map((key) => source.get(key))).toEqual(["", "", ""]);
  });

  it.each([
    ["supabaseBranch", "1.10", "1.1", "1.10"],
    ["kubeContext", "00123e4", "1230000", "00123e4"],
    ["kubeContext", "12345678901234567890123", "1.2345678901234568e+22", "12345678901234567890123"],
    ["kubeContext", "2026-11-29", "2026-11-29 00:00:00 +0000 UTC", "2026-11-29"],
    ["kubeContext", "017", "15", "017"],
    ["replicas", "0x3", "3", "3"],
    ["replicas", "1_0", "10", "10"],
  ])("refuses %s: %s without quotes, which the engine reads as %s", (key, written, passed, fixed) => {
    file(`config:\n  exai:${key}: ${written}\n`);
    const error = refusal(() => stackFileSource(root, "prod"));
    expect(error.message).toContain(`is ${written} without quotes, which the engine reads as ${passed}`);
    expect(String(error.fix)).toBe(`write exai:${key}: "${fixed}"`);
  });

  it("takes numbers whose value does not change, and what is in quotes", () => {
    file(
      'config:\n  exai:gateErrorRatio: 0.010\n  exai:replicas: 3\n  exai:supabaseBranch: "1.10"\n  exai:grafana: True\n',
    );
    const source = stackFileSource(root, "prod");
    expect(["gateErrorRatio", "replicas", "supabaseBranch", "grafana"].map((key) => source.get(key))).toEqual([
      "0.01",
      "3",
      "1.10",
      "true",
    ]);
  });

  it.each([
    ["a list", "environment:\n  - exai/prod\n  - other: {merge: false}\n", ["exai/prod", "other"]],
    ["a name", "environment: exai/prod\n", ["exai/prod"]],
    ["imports", "environment:\n  imports: [exai/prod]\n", ["exai/prod"]],
    ["a definition", "environment:\n  values: {pulumiConfig: {exai:wsPort: 1}}\n", ["environment of the file itself"]],
    ["nothing", "environment: []\n", []],
  ])("names the environments that %s imports", (_name, content, imports) => {
    file(content);
    expect(stackFileSource(root, "prod").imports).toEqual(imports);
  });

  it("names the import that may set what the file does not", () => {
    file("environment: [exai/prod]\n");
    expect(() => parseSettings("prod", stackFileSource(root, "prod", { defers: true }))).toThrow(
      /hostname.*exai\/prod, which the stack file imports, may set it/s,
    );
  });

  it.each([
    ["exai:kimiApiKey: sk-abcdefghijklmnopqrstuvwxyz0123456789", "exai:kimiApiKey", /is a secret in plain text/],
    ["exai:backupRepository: rest:https://u:passw0rd@host/", "exai:backupRepository", /a password in a URL in plain/],
    ["supabase:accessToken: abc", "supabase:accessToken", /is a credential in plain text/],
    [
      "kubernetes:kubeconfig: {users: [{token: ghp_0123456789abcdefghijABCDEFGHIJ012345}]}",
      "kubeconfig",
      /a GitHub token in plain/,
    ],
  ])("refuses %s", (line, where, problem) => {
    file(`config:\n  ${line}\n`);
    const error = refusal(() => parseSettings("prod", stackFileSource(root, "prod", { defers: true })), where);
    expect(error.message).toMatch(problem);
    expect(String(error.fix)).toContain("pulumi config set --secret --stack prod");
  });

  it("refuses a secret in plain text on this machine, too, where --set keeps it outside of the sources", () => {
    writeFileSync(join(root, "Pulumi.local.yaml"), "config:\n  exai:kimiApiKey: sk-1\n");
    const error = refusal(() => parseSettings("local", stackFileSource(root, "local")), "exai:kimiApiKey");
    expect(String(error.fix)).toBe('exai up --set kimiApiKey="<key>"');
    expect(() => parseSettings("local", layered(EMPTY_FILE, { overrides: { kimiApiKey: "sk-1" } }))).not.toThrow();
  });

  it("refuses an encrypted value that the plan needs", () => {
    file("config:\n  exai:hostname: {secure: abc}\n");
    const error = refusal(
      () => parseSettings("prod", stackFileSource(root, "prod", { defers: true })),
      "exai:hostname",
    );
    expect(error.message).toMatch(/is encrypted/);
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
    [
      "a misspelt key of a provider",
      "config:\n  kubernetes:contxt: x\n",
      "config: kubernetes:contxt",
      /kubernetes has no such key; did you mean kubernetes:context/,
      "write kubernetes:context",
    ],
  ];

  it.each(ignored)("refuses %s, which nothing would read", (_name, content, where, problem, fix) => {
    file(content);
    const error = refusal(() => stackFileSource(root, "prod"));
    expect(error.where).toBe(`Pulumi.prod.yaml: ${where.replace("config: ", "")}`);
    expect(error.message).toMatch(problem);
    expect(String(error.fix)).toBe(fix);
  });

  it("names every key that it refuses in one run", () => {
    file("replicas: 3\nconfig:\n  wsPort: 1\n  exia:image: x\n");
    expect(() => stackFileSource(root, "prod")).toThrow(/replicas[\s\S]*wsPort[\s\S]*exia:image/);
  });

  it.each([
    ["a missing file", undefined, /does not exist/],
    ["broken YAML", "config: [", /is not YAML/],
    ["two documents", "config:\n  exai:hostname: a.example.com\n---\nconfig: {}\n", /second document/],
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

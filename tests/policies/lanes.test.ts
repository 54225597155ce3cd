import { spawn, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Secret, Unknown, type Inputs, type Resource, type Value } from "../../contract/graph.ts";
import { graphOfState } from "../../policies/engine/state.ts";
import { evaluate } from "../../policies/model/evaluate.ts";
import { RULES } from "../../policies/rules.ts";
import { altered, DOCKER, graph, POD_KINDS, podResource, resource, soundDocker, soundPodSpec } from "./support.ts";

/** The parts of the SDK's generated code that are used; it has no types of its own. */
interface Analyzer {
  analyze(
    request: unknown,
    callback: (
      error: Error | null,
      response: { getDiagnosticsList(): { getPolicyname(): string; getMessage(): string }[] },
    ) => void,
  ): void;
  close(): void;
}
type Constructor = new () => Record<string, (...values: readonly unknown[]) => void>;

const require = createRequire(import.meta.url);
const fromSdk = createRequire(require.resolve("@pulumi/policy"));
const proto = fromSdk("@pulumi/pulumi/proto/analyzer_pb.js") as Record<string, Constructor>;
const { AnalyzerClient } = fromSdk("@pulumi/pulumi/proto/analyzer_grpc_pb.js") as {
  AnalyzerClient: new (address: string, credentials: unknown) => Analyzer;
};
const { credentials } = fromSdk("@grpc/grpc-js") as { credentials: { createInsecure(): unknown } };
const { Struct } = fromSdk("google-protobuf/google/protobuf/struct_pb.js") as {
  Struct: { fromJavaScript(value: unknown): unknown };
};

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** What the engine sends for a value. */
function toWire(value: Value): unknown {
  if (value instanceof Unknown) return UNKNOWN;
  if (value instanceof Secret) return { [SIGNATURE]: SECRET, value: toWire(value.value) };
  if (Array.isArray(value)) return (value as readonly Value[]).map(toWire);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toWire(item)]));
  return value;
}

const deployment = POD_KINDS[3];
if (deployment === undefined) throw new Error("Deployment is among the kinds");
const pod = (path: readonly (string | number)[], value: Value | undefined) =>
  podResource(deployment, altered(soundPodSpec(), path, value) as Inputs);
const docker = (path: readonly (string | number)[], value: Value | undefined) =>
  resource(DOCKER, altered(soundDocker(), path, value) as Inputs);

const CASES: readonly (readonly [name: string, resource: Resource])[] = [
  ["a sound pod", pod(["x"], undefined)],
  ["root", pod(["containers", 0, "securityContext", "runAsNonRoot"], false)],
  ["an init container with capabilities", pod(["initContainers", 0, "securityContext", "capabilities"], undefined)],
  ["an ephemeral container that is privileged", pod(["ephemeralContainers", 0, "securityContext", "privileged"], true)],
  ["a tag", pod(["containers", 0, "image"], "ghcr.io/org/exai:1")],
  ["a host path", pod(["volumes", 0], { name: "x", hostPath: { path: "/" } })],
  ["an unknown security context", pod(["containers", 0, "securityContext"], new Unknown("x"))],
  [
    "an unknown one beside a fault",
    altered2(
      pod(["initContainers", 0, "securityContext"], new Unknown("x")),
      ["spec", "template", "spec", "containers", 0, "securityContext", "privileged"],
      true,
    ),
  ],
  ["a literal", pod(["containers", 0, "env"], [{ name: "API_KEY", value: "not-a-path-but-a-key" }])],
  ["a secret in the environment", pod(["containers", 0, "env"], [{ name: "API_KEY", value: new Secret("hidden") }])],
  ["a sound container", docker(["x"], undefined)],
  ["a container on every address", docker(["ports", 0, "ip"], "0.0.0.0")],
  ["the Docker socket", docker(["volumes", 0], { hostPath: "/var/run/docker.sock", containerPath: "/s" })],
  [
    "an unmarked Secret",
    resource("kubernetes:core/v1:Secret", { metadata: { namespace: "exai" }, stringData: { token: "abc" } }),
  ],
  [
    "a marked Secret",
    resource("kubernetes:core/v1:Secret", {
      metadata: { namespace: "exai" },
      stringData: { token: new Secret("abc") },
    }),
  ],
  [
    "a wildcard role",
    resource("kubernetes:rbac.authorization.k8s.io/v1:Role", {
      metadata: { namespace: "exai" },
      rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }],
    }),
  ],
  [
    "a public Service",
    resource("kubernetes:core/v1:Service", { metadata: { namespace: "exai" }, spec: { type: "NodePort" } }),
  ],
  [
    "a short retention",
    resource("exai:backups:BackupSchedule", {
      name: "daily",
      kind: "full",
      schedule: "0 2 * * *",
      timeZone: "UTC",
      retentionDays: 3,
    }),
  ],
  ["a project without protection", resource("supabase:index/project:Project", { databasePassword: new Secret("x") })],
];

function altered2(one: Resource, path: readonly (string | number)[], value: Value): Resource {
  return { ...one, inputs: altered(one.inputs, path, value) as Inputs };
}

/** Rules and places that a lane finds fault with. */
function planLane(one: Resource): string[] {
  return verdicts(graph("prod", one).resources);
}

function auditLane(one: Resource): string[] {
  const state = {
    version: 3,
    deployment: {
      resources: [
        { urn: one.urn, type: one.type, custom: one.custom, inputs: toWire(one.inputs), protect: one.options.protect },
      ],
    },
  };
  return verdicts(graphOfState(JSON.stringify(state), "state.json").resources);
}

function verdicts(resources: readonly Resource[]): string[] {
  const scene = { graph: { project: "exai", stack: "prod", resources, outputs: {} }, environment: "prod" as const };
  return evaluate(
    RULES.filter((rule) => rule.scope === "resource"),
    scene,
    new Error("not asked"),
  )
    .flatMap((outcome) => outcome.findings)
    .map((finding) => `${finding.policy}: ${finding.message}`)
    .sort();
}

describe("the three lanes", () => {
  let pack: ChildProcess;
  let client: Analyzer;
  let boot = 0;

  beforeAll(async () => {
    const begun = performance.now();
    const directory = fileURLToPath(new URL("../../policies/", import.meta.url));
    pack = spawn(process.execPath, [require.resolve("@pulumi/pulumi/cmd/run-policy-pack"), "127.0.0.1:1", directory], {
      cwd: directory,
      env: { ...process.env, PULUMI_NODEJS_STACK: "prod", PULUMI_NODEJS_PROJECT: "exai" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (pack.stdout === null) throw new Error("stdout is piped");
    const port = await new Promise<string>((resolve, reject) => {
      createInterface({ input: pack.stdout as NodeJS.ReadableStream }).once("line", resolve);
      pack.once("exit", (code) => {
        reject(new Error(`the pack ended with ${String(code)}`));
      });
    });
    boot = performance.now() - begun;
    expect(port).toMatch(/^\d+$/);
    client = new AnalyzerClient(`127.0.0.1:${port}`, credentials.createInsecure());
  }, 60_000);

  afterAll(() => {
    client.close();
    pack.kill();
  });

  const engineLane = (one: Resource): Promise<string[]> => {
    const request = make("AnalyzeRequest", {
      Type: one.type,
      Urn: one.urn,
      Name: one.name,
      Properties: Struct.fromJavaScript(toWire(one.inputs)),
    });
    const options = make("AnalyzerResourceOptions", {
      Protect: one.options.protect,
      Customtimeouts: make("AnalyzerResourceOptions.CustomTimeouts", {}),
    });
    request.setOptions?.(options);
    return new Promise((resolve, reject) => {
      client.analyze(request, (error, response) => {
        if (error !== null) reject(error);
        else
          resolve(
            response
              .getDiagnosticsList()
              // The engine's text is ours after the name and path: "thing path: message (mend: …)".
              .map(
                (found) =>
                  `${found.getPolicyname()}: ${/^\S+(?: \S+)?: (.*) \(mend: /s.exec(found.getMessage().slice(found.getMessage().lastIndexOf("\nthing") + 1))?.[1] ?? found.getMessage()}`,
              )
              .sort(),
          );
      });
    });
  };

  it.each(CASES)("agree about %s", async (_, one) => {
    const plan = planLane(one);
    expect(await engineLane(one)).toEqual(plan);
    expect(auditLane(one)).toEqual(plan);
  });

  it("the cases are about many rules", () => {
    const rules = CASES.flatMap(([, one]) => planLane(one)).map((verdict) => verdict.split(":")[0]);
    expect(new Set(rules).size).toBeGreaterThan(12);
  });

  it("the pack starts without a compiler", () => {
    expect(boot).toBeLessThan(20_000);
  });
});

function make(name: string, values: Record<string, unknown>): Record<string, (...values: readonly unknown[]) => void> {
  const constructor = name
    .split(".")
    .reduce<unknown>((holder, key) => (holder as Record<string, unknown>)[key], proto) as Constructor;
  const message = new constructor();
  for (const [key, value] of Object.entries(values)) message[`set${key}`]?.(value);
  return message;
}

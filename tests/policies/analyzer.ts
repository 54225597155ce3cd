import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { Secret, Unknown, type Resource, type Value } from "../../contract/graph.ts";

/** The used parts of the SDK's generated code, which has no types. */
interface Client {
  analyze(request: unknown, callback: Callback): void;
  analyzeStack(request: unknown, callback: Callback): void;
  close(): void;
}
type Callback = (error: Error | null, response: { getDiagnosticsList(): WireDiagnostic[] }) => void;
interface WireDiagnostic {
  getPolicyname(): string;
  getMessage(): string;
}
type Message = Record<string, (...values: readonly unknown[]) => unknown>;

const require = createRequire(import.meta.url);
const fromSdk = createRequire(require.resolve("@pulumi/policy"));
const proto = fromSdk("@pulumi/pulumi/proto/analyzer_pb.js") as Record<string, new () => Message>;
const { AnalyzerClient } = fromSdk("@pulumi/pulumi/proto/analyzer_grpc_pb.js") as {
  AnalyzerClient: new (address: string, credentials: unknown) => Client;
};
const { credentials } = fromSdk("@grpc/grpc-js") as { credentials: { createInsecure(): unknown } };
const { Struct } = fromSdk("google-protobuf/google/protobuf/struct_pb.js") as {
  Struct: { fromJavaScript(value: unknown): unknown };
};

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A value as the engine sends it and writes it to a state file. */
export function toWire(value: Value): unknown {
  if (value instanceof Unknown) return UNKNOWN;
  if (value instanceof Secret) return { [SIGNATURE]: SECRET, value: toWire(value.value) };
  if (Array.isArray(value)) return (value as readonly Value[]).map(toWire);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toWire(item)]));
  return value;
}

/** A state file with some resources, in the format of `pulumi stack export`. */
export function stateOf(resources: readonly Resource[]): string {
  return JSON.stringify({
    version: 3,
    deployment: {
      resources: resources.map((resource) => ({
        urn: resource.urn,
        type: resource.type,
        custom: resource.custom,
        parent: resource.parent,
        inputs: toWire(resource.inputs),
        dependencies: resource.dependencies,
        propertyDependencies: resource.propertyDependencies,
        ...resource.options,
      })),
    },
  });
}

/** A diagnostic that the pack sends to the engine. */
export interface Diagnostic {
  readonly policy: string;
  readonly message: string;
}

/** A policy pack in its own process, called in the same way as by the engine. */
export class Analyzer {
  /** Milliseconds until its first answer. */
  readonly boot: number;
  readonly #client: Client;
  readonly #stop: () => void;

  private constructor(client: Client, boot: number, stop: () => void) {
    this.#client = client;
    this.boot = boot;
    this.#stop = stop;
  }

  /** Starts the pack of a directory for a stack called `prod`. */
  static async start(directory: string): Promise<Analyzer> {
    const begun = performance.now();
    const pack = spawn(
      process.execPath,
      [require.resolve("@pulumi/pulumi/cmd/run-policy-pack"), "127.0.0.1:1", directory],
      {
        cwd: directory,
        env: { ...process.env, PULUMI_NODEJS_STACK: "prod", PULUMI_NODEJS_PROJECT: "exai" },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const port = await new Promise<string>((resolve, reject) => {
      createInterface({ input: pack.stdout }).once("line", resolve);
      pack.once("exit", (code) => {
        reject(new Error(`the pack ended with ${String(code)}`));
      });
    });
    if (!/^\d+$/.test(port)) throw new Error(`the pack said ${port} instead of its port`);
    const client = new AnalyzerClient(`127.0.0.1:${port}`, credentials.createInsecure());
    return new Analyzer(client, performance.now() - begun, () => {
      client.close();
      pack.kill();
    });
  }

  stop(): void {
    this.#stop();
  }

  /** The diagnostics of the resource rules about one resource. */
  resource(resource: Resource): Promise<readonly Diagnostic[]> {
    return this.#ask("analyze", message("AnalyzeRequest", fieldsOf(resource)));
  }

  /** The diagnostics of the other rules, when all resources are known. */
  stack(resources: readonly Resource[]): Promise<readonly Diagnostic[]> {
    const all = resources.map((resource) => {
      const one = message("AnalyzerResource", {
        ...fieldsOf(resource),
        DependenciesList: resource.dependencies,
        ...(resource.parent === undefined ? {} : { Parent: resource.parent }),
      });
      const map = one.getPropertydependenciesMap?.() as Map<string, unknown>;
      for (const [key, urns] of Object.entries(resource.propertyDependencies))
        map.set(key, message("AnalyzerPropertyDependencies", { UrnsList: urns }));
      return one;
    });
    return this.#ask("analyzeStack", message("AnalyzeStackRequest", { ResourcesList: all }));
  }

  #ask(method: "analyze" | "analyzeStack", request: Message): Promise<readonly Diagnostic[]> {
    return new Promise((resolve, reject) => {
      this.#client[method](request, (error, response) => {
        if (error !== null) reject(error);
        else
          resolve(
            response
              .getDiagnosticsList()
              .map((found) => ({ policy: found.getPolicyname(), message: found.getMessage() })),
          );
      });
    });
  }
}

function fieldsOf(resource: Resource): Record<string, unknown> {
  const { protect, ignoreChanges, deleteBeforeReplace, additionalSecretOutputs } = resource.options;
  return {
    Type: resource.type,
    Urn: resource.urn,
    Name: resource.name,
    Properties: Struct.fromJavaScript(toWire(resource.inputs)),
    Options: message("AnalyzerResourceOptions", {
      Protect: protect,
      IgnorechangesList: ignoreChanges,
      Deletebeforereplace: deleteBeforeReplace,
      AdditionalsecretoutputsList: additionalSecretOutputs,
      Customtimeouts: message("AnalyzerResourceOptions.CustomTimeouts", {}),
    }),
  };
}

function message(name: string, values: Record<string, unknown>): Message {
  const constructor = name
    .split(".")
    .reduce<unknown>((holder, key) => (holder as Record<string, unknown>)[key], proto) as new () => Message;
  const made = new constructor();
  for (const [key, value] of Object.entries(values)) {
    const set = made[`set${key}`];
    if (set === undefined) throw new Error(`${name} has no ${key}`);
    set.call(made, value);
  }
  return made;
}

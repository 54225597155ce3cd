import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import type { Resource, SourcePosition } from "../contract/graph.ts";
import { fromWire } from "../contract/engine/wire.ts";
import { sourcePosition } from "./source-positions.ts";

// Names of the generated code:
// cspell:ignore retainondelete deletedwith replaceonchanges

/** The part of a `RegisterResourceRequest` that is read here; the generated code has no types. */
interface RegisterRequest {
  getType(): string;
  getName(): string;
  getParent(): string;
  getCustom(): boolean;
  getObject(): { toJavaScript(): Record<string, unknown> };
  getProtect(): boolean;
  getDependenciesList(): string[];
  getPropertydependenciesMap(): { forEach(visit: (value: { getUrnsList(): string[] }, key: string) => void): void };
  getIgnorechangesList(): string[];
  getDeletebeforereplace(): boolean;
  getAdditionalsecretoutputsList(): string[];
  getRetainondelete(): boolean | undefined;
  getDeletedwith(): string;
  getReplaceonchangesList(): string[];
  getTransformsList(): unknown[];
  getProvider(): string;
  getSourceposition(): { getUri(): string; getLine(): number } | undefined;
}

interface Monitor {
  registerStackTransform(request: unknown, callback: unknown): unknown;
  registerResource(
    request: RegisterRequest,
    callback: (error: Error | null, response: { getUrn(): string } | undefined) => unknown,
  ): unknown;
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What listens to the registrations of a program. */
export interface RegistrationListener {
  /** Before the monitor gets the request. Its URN has no parents' types yet. An error refuses the resource. */
  readonly before: (resource: Resource) => void;
  /** The resource is registered. */
  readonly after: (resource: Resource) => void;
}

/**
 * Listens to what the program registers, without the stack itself. Only the requests to the monitor carry parents, options,
 * secret marks and source positions.
 */
export function listenToRegistrations({ before, after }: RegistrationListener): void {
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  // Only the engine applies a transform; one of the stack applies to each later resource.
  let stackTransform = false;
  const registerTransform = monitor.registerStackTransform.bind(monitor);
  monitor.registerStackTransform = (request, callback) => {
    stackTransform = true;
    return registerTransform(request, callback);
  };
  const place = `urn:pulumi:${pulumi.getStack()}::${pulumi.getProject()}`;
  monitor.registerResource = (request, callback) => {
    if (request.getType() === "pulumi:pulumi:Stack") return register(request, callback);
    const resource = resourceOf(request, `${place}::${request.getType()}::${request.getName()}`, stackTransform);
    before(resource);
    return register(request, (error, response) => {
      if (error === null && response !== undefined) after(Object.assign(resource, { urn: response.getUrn() }));
      return callback(error, response);
    });
  };
}

function resourceOf(request: RegisterRequest, urn: string, stackTransform: boolean): Resource {
  const propertyDependencies: Record<string, string[]> = {};
  request.getPropertydependenciesMap().forEach((value, key) => {
    const urns = value.getUrnsList();
    if (urns.length > 0) propertyDependencies[key] = urns;
  });
  const position = request.getSourceposition();
  const parent = request.getParent();
  // `<URN>::<identifier>`
  const provider = request.getProvider().split("::").slice(0, 4).join("::");
  const resource: Resource = {
    urn,
    type: request.getType(),
    name: request.getName(),
    custom: request.getCustom(),
    inputs: fromWire(request.getObject().toJavaScript()),
    ...(parent === "" || parent.includes("pulumi:pulumi:Stack::") ? {} : { parent }),
    dependencies: request.getDependenciesList(),
    propertyDependencies,
    options: {
      protect: request.getProtect(),
      ignoreChanges: request.getIgnorechangesList(),
      deleteBeforeReplace: request.getDeletebeforereplace(),
      additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
      ...(request.getRetainondelete() === true ? { retainOnDelete: true } : {}),
      ...(request.getDeletedwith() === "" ? {} : { deletedWith: request.getDeletedwith() }),
      ...(request.getReplaceonchangesList().length === 0
        ? {}
        : { replaceOnChanges: request.getReplaceonchangesList() }),
      ...(stackTransform || request.getTransformsList().length > 0 ? { transformed: true } : {}),
      ...(provider === "" ? {} : { provider }),
    },
  };
  if (position === undefined) return resource;
  let source: SourcePosition | undefined;
  return {
    ...resource,
    // When it is asked for: the table of the lines is then read.
    get source() {
      return (source ??= sourceOf(position.getUri(), position.getLine()));
    },
  };
}

function sourceOf(uri: string, bundledLine: number): SourcePosition {
  // The SDK takes the URL of an ES module for a relative path and puts the working directory in front of it.
  const bundled = fileURLToPath(uri.slice(uri.lastIndexOf("file:")));
  const { file, line } = sourcePosition({ file: bundled, line: bundledLine });
  return { file: relative(ROOT, file), line };
}

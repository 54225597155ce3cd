import { UserError } from "../../contract/errors.ts";
import type { Resource, ResourceGraph, SourcePosition } from "../../contract/graph.ts";
import { fromWire } from "../../contract/wire.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * The resource graph of a state file, as `pulumi stack export` writes it: what is deployed. Resources that wait for
 * their deletion are left out. Secrets that the file has encrypted are secrets of unknown content.
 *
 * @param where the file or the stack, for errors
 * @param fix the command that gets a better one
 * @throws UserError where the text is no such file, or the stack is empty
 */
export function graphOfState(text: string, where: string, fix = `pulumi stack export --file ${where}`): ResourceGraph {
  const refuse = (problem: string) => new UserError("failed", where, problem, fix);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw refuse("is not JSON");
  }
  const entries = objectAt(objectAt(parsed)?.deployment)?.resources;
  if (!Array.isArray(entries)) throw refuse("is not a state file: it has no deployment.resources");
  const all = entries.map((entry) => objectAt(entry)).filter((entry) => entry !== undefined);
  const urn = all.map((entry) => entry.urn).find((value) => typeof value === "string") ?? "";
  const [stack = "", project = ""] = urn.replace(/^urn:pulumi:/, "").split("::");
  const resources = all
    .filter((entry) => entry.delete !== true && entry.type !== "pulumi:pulumi:Stack")
    .map(resourceOf);
  if (resources.length === 0) throw refuse("has no resource: nothing is deployed that could be judged");
  return { project, stack, resources, outputs: {} };
}

function resourceOf(entry: Json): Resource {
  const urn = textOf(entry.urn);
  const inputs = objectAt(entry.inputs) ?? {};
  const parent = textOf(entry.parent);
  const source = sourceOf(textOf(entry.sourcePosition));
  return {
    urn,
    type: textOf(entry.type),
    name: urn.split("::").at(-1) ?? "",
    custom: entry.custom === true,
    // A component that registered nothing else has its inputs among the outputs in older state files.
    inputs: fromWire(Object.keys(inputs).length > 0 ? inputs : (objectAt(entry.outputs) ?? {})),
    ...(parent === "" || parent.includes("pulumi:pulumi:Stack::") ? {} : { parent }),
    dependencies: textsOf(entry.dependencies),
    propertyDependencies: Object.fromEntries(
      Object.entries(objectAt(entry.propertyDependencies) ?? {}).map(([key, urns]) => [key, textsOf(urns)]),
    ),
    options: {
      protect: entry.protect === true,
      ignoreChanges: textsOf(entry.ignoreChanges),
      deleteBeforeReplace: entry.deleteBeforeReplace === true,
      additionalSecretOutputs: textsOf(entry.additionalSecretOutputs),
    },
    ...(source === undefined ? {} : { source }),
  };
}

/** Folders of the project that make resources. */
const FOLDERS = /(?:^|\/)((?:components|stacks)\/.+)$/;

/**
 * `project:///<path>#<line>,<column>`. For an ES module the SDK gives the whole URL as the path, of the machine that
 * deployed; what is above the project's own folders is cut off.
 */
function sourceOf(position: string): SourcePosition | undefined {
  const [, file, line] = /^[a-z]+:\/*(?:file:\/*)?(.+)#(\d+)/.exec(position) ?? [];
  return file === undefined ? undefined : { file: FOLDERS.exec(file)?.[1] ?? file, line: Number(line) };
}

function objectAt(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

import { UserError } from "../../contract/errors.ts";
import type { Fix } from "../../contract/fix.ts";
import { nameOfUrn, type Resource, type ResourceGraph, type SourcePosition } from "../../contract/graph.ts";
import { fromWire } from "../../contract/engine/wire.ts";
import { explicitProvider } from "./provider.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * The resource graph of a state file that `pulumi stack export` wrote. Resources that are pending deletion are left out.
 * Encrypted secrets are secrets with an unknown value.
 *
 * @param where the file or the stack, for errors
 * @param fix what corrects the error
 * @throws UserError if the text is not a state file, or the stack is empty
 */
export function graphOfState(
  text: string,
  where: string,
  fix: Fix | string = `pulumi stack export --file ${where}`,
): ResourceGraph {
  const refuse = (problem: string) => new UserError("invalid-file", where, problem, fix);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw refuse("is not valid JSON");
  }
  const entries = objectAt(objectAt(parsed)?.deployment)?.resources;
  if (!Array.isArray(entries)) throw refuse("is not a state file: it has no deployment.resources");
  const all = entries.map((entry) => objectAt(entry)).filter((entry) => entry !== undefined);
  const urn = all.map((entry) => entry.urn).find((value) => typeof value === "string") ?? "";
  const [stack = "", project = ""] = urn.replace(/^urn:pulumi:/, "").split("::");
  const resources = all
    .filter((entry) => entry.delete !== true && entry.type !== "pulumi:pulumi:Stack")
    .map(resourceOf);
  if (resources.length === 0) throw refuse("contains no resources, so there is nothing to judge");
  return { project, stack, resources, outputs: {} };
}

function resourceOf(entry: Json): Resource {
  const urn = textOf(entry.urn);
  const inputs = objectAt(entry.inputs) ?? {};
  const parent = textOf(entry.parent);
  // `<URN>::<identifier>`
  const provider = textOf(entry.provider).split("::").slice(0, 4).join("::");
  const source = sourceOf(textOf(entry.sourcePosition));
  return {
    urn,
    type: textOf(entry.type),
    name: nameOfUrn(urn),
    custom: entry.custom === true,
    // In older state files, a component without registered inputs has them among the outputs.
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
      ...(entry.retainOnDelete === true ? { retainOnDelete: true } : {}),
      ...(textOf(entry.deletedWith) === "" ? {} : { deletedWith: textOf(entry.deletedWith) }),
      ...explicitProvider(provider),
    },
    ...(source === undefined ? {} : { source }),
  };
}

/** Folders of the project that declare resources. */
const FOLDERS = /(?:^|\/)((?:components|stacks)\/.+)$/;

/**
 * `project:///<path>#<line>,<column>`. For an ES module, the SDK records the whole URL on the machine that deployed as the
 * path; the part above the project's folders is removed.
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

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { fromWire, toWire } from "../contract/engine/wire.ts";
import type { Registered, Resource, ResourceGraph, TracedSecret } from "../contract/graph.ts";
import { keep, readKept, ResultKey } from "../contract/machine/kept-results.ts";

/** Root of the checkout. */
const CHECKOUT = join(import.meta.dirname, "..");

/** All that the program of the stacks consists of and reads, besides the settings; `tests/unit/synth/kept-graph.test.ts` compares it. */
export const PROGRAM = {
  folders: ["components", "contract", "sdks/supabase/bin", "stacks", "synth"],
  files: ["node_modules/.package-lock.json", "supabase/prelude.sql"],
  /** Variables of the environment that Pulumi's SDK and its providers read, without the one that a capture sets. */
  variables: /^(?:PULUMI(?!_ERROR_OUTPUT_STRING$)|KUBE|DOCKER|SUPABASE)/,
} as const;

/** A graph as it is kept: values in the form of the engine's protocol, in which secret and unknown values differ from objects. */
interface Kept extends Wire {
  readonly project: string;
  readonly stack: string;
  readonly traced: (Wire & { readonly secrets: readonly TracedSecret[] }) | undefined;
}

interface Wire {
  readonly resources: readonly (Omit<Resource, "inputs"> & { readonly inputs: Record<string, unknown> })[];
  readonly outputs: Record<string, unknown>;
}

/**
 * The graph that a stack's program registers, from an earlier run if neither the program nor its settings have changed: the program
 * reads nothing else. A graph whose traced run failed is not kept.
 *
 * @param root of the project, with the stack files
 * @param make runs the program
 */
export async function keptGraph(
  root: string,
  stack: string,
  make: () => Promise<ResourceGraph>,
): Promise<ResourceGraph> {
  let key: string;
  try {
    key = keyOf(root, stack);
  } catch {
    return make(); // It says what cannot be read.
  }
  const file = join(root, ".exai/cache/plan", `graph-${key}`);
  const kept = readKept(file);
  if (kept !== undefined) {
    try {
      return graphOf(deserialize(kept) as Kept);
    } catch {
      // A file that is damaged is replaced.
    }
  }
  const graph = await make();
  if (!(graph.traced instanceof Error)) keep(file, serialize(keptOf(graph)));
  return graph;
}

function keyOf(root: string, stack: string): string {
  // The graph has paths of the checkout. Another Node may read what was written in another way.
  const key = new ResultKey().add("checkout", CHECKOUT).add("node", process.version).add("stack", stack);
  for (const [name, value = ""] of Object.entries(process.env).sort())
    if (PROGRAM.variables.test(name)) key.add(name, value);
  key.add("sources", (sources ??= keyOfSources()));
  const files = [
    ...PROGRAM.files.map((name) => [name, join(CHECKOUT, name)] as const),
    ...["Pulumi.yaml", `Pulumi.${stack}.yaml`].map((name) => [name, join(root, name)] as const),
  ];
  for (const [name, path] of files) if (existsSync(path)) key.add(name, readFileSync(path));
  return key.toString();
}

/** The key of the program's sources. A process loads them once, and all stacks share them. */
let sources: string | undefined;

function keyOfSources(): string {
  const key = new ResultKey();
  for (const folder of PROGRAM.folders) key.addFolder(join(CHECKOUT, folder), folder);
  return key.toString();
}

function keptOf({ project, stack, traced, ...run }: ResourceGraph): Kept {
  const wire = ({ resources, outputs }: Registered): Wire => ({
    // A copy: the position is found when it is asked for.
    resources: resources.map((resource) => ({ ...resource, inputs: toWire(resource.inputs) })),
    outputs: toWire(outputs),
  });
  const known = traced === undefined || traced instanceof Error ? undefined : traced;
  return { project, stack, ...wire(run), traced: known && { ...wire(known), secrets: known.secrets } };
}

function graphOf({ project, stack, traced, ...kept }: Kept): ResourceGraph {
  const run = ({ resources, outputs }: Wire): Registered => ({
    resources: resources.map((resource) => ({ ...resource, inputs: fromWire(resource.inputs) })),
    outputs: fromWire(outputs),
  });
  return {
    project,
    stack,
    ...run(kept),
    ...(traced === undefined ? {} : { traced: { ...run(traced), secrets: traced.secrets } }),
  };
}

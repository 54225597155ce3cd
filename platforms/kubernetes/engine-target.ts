import { join } from "node:path";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import type { DeclaredStack, Overrides } from "../declared.ts";
import type { EngineTarget } from "../pulumi/target.ts";

/** A stack on a cluster for the engine, whose backend the team shares. */
export function clusterTarget({ name, overrides }: DeclaredStack, more: Overrides = {}): EngineTarget {
  return { stack: name, folder: join(PROJECT_ROOT, ".exai", "engine", name), overrides: { ...overrides, ...more } };
}

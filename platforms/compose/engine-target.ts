import { join } from "node:path";
import type { EngineTarget } from "../pulumi/target.ts";
import type { LocalStack } from "./project.ts";

/** A local stack for the engine. Its backend is in its own folder, so two stacks may have the same name. */
export function engineTarget({ declared, home, overrides }: LocalStack): EngineTarget {
  return { stack: declared.name, folder: join(home, "engine"), ownBackend: join(home, "backend"), overrides };
}

import type { DumpPlace } from "../../operations/dumps/job.ts";
import type { DeclaredStack } from "../declared.ts";
import { clusterOf } from "./rollout.ts";

/** Where the dumps of a stack's hosted database are. */
export function dumpPlace({ name, settings }: DeclaredStack): DumpPlace {
  return { stack: name, instance: settings.instance, cluster: clusterOf(settings) };
}

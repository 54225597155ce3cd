import type { Verb } from "../../contract/events.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { environmentOf } from "../../stacks/settings/parse.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { alone } from "../../platforms/compose/stack-lock.ts";
import { localStack, type Overrides } from "../../platforms/compose/project.ts";

export interface UpAnyOptions {
  /** Uses the Pulumi engine on this machine too. */
  readonly engine: boolean;
  /** Does not ask before a stack elsewhere is changed. */
  readonly yes: boolean;
}

/** Brings a stack up the way its environment asks for: Compose on this machine, the Pulumi engine elsewhere. */
export async function* up(stack: string, overrides: Overrides, options: UpAnyOptions, signal: AbortSignal): Verb {
  const environment = environmentOf(stack, stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true }));
  const engine = async function* (): Verb {
    return yield* (await import("./up-cluster.ts")).upCluster(stack, overrides, signal, options);
  };
  if (environment !== "local") return yield* engine();
  const compose = async function* (): Verb {
    return yield* (await import("./up.ts")).upLocal(stack, overrides, signal);
  };
  const { home } = localStack(stack, overrides);
  return yield* alone({ stack, home }, "up", options.engine ? engine : compose);
}

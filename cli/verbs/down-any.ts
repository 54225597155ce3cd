import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import type { Verb } from "../../contract/events.ts";
import { environmentOf } from "../../stacks/settings/parse.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { alone } from "../../platforms/compose/stack-lock.ts";
import { containersOf } from "../../platforms/compose/containers.ts";
import { localStack, type Overrides } from "../../platforms/compose/project.ts";
import { downLocal, type DownOptions } from "./down.ts";

/** Takes a stack down with the tool that brought it up. */
export async function* down(stack: string, overrides: Overrides, options: DownOptions, signal: AbortSignal): Verb {
  const engine = async function* (): Verb {
    return yield* (await import("./down-engine.ts")).downEngine(stack, overrides, options, signal);
  };
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true });
  if (environmentOf(stack, source) !== "local") return yield* engine();
  const { home, settings } = localStack(stack, overrides);
  const compose = (): Verb => downLocal(stack, overrides, options);
  return yield* alone({ stack, home }, "down", (await madeByEngine(settings.instance)) ? engine : compose);
}

/** Whether the engine made a stack of this machine, be it half of it: its containers bear no mark of Compose. */
async function madeByEngine(instance: string): Promise<boolean> {
  return [...(await containersOf(instance)).values()].some((container) => container.hash === "");
}

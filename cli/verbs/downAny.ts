import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import type { Verb } from "../../contract/events.ts";
import { environmentOf } from "../../stacks/settings/parse.ts";
import { stackFileSource } from "../../synth/stackFile.ts";
import { containersOf } from "../local/engine.ts";
import { localStack, type Overrides } from "../local/project.ts";
import { downLocal, type DownOptions } from "./down.ts";

/** Takes a stack down with the tool that brought it up. */
export async function* down(stack: string, overrides: Overrides, options: DownOptions, signal: AbortSignal): Verb {
  if (!(await madeByEngine(stack, overrides))) return yield* downLocal(stack, overrides, options);
  const { downEngine } = await import("./downEngine.ts");
  return yield* downEngine(stack, overrides, options, signal);
}

/** Whether the engine knows the stack: always off this machine, and here where its router bears no mark of Compose. */
async function madeByEngine(stack: string, overrides: Overrides): Promise<boolean> {
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true });
  if (environmentOf(stack, source) !== "local") return true;
  const router = (await containersOf(localStack(stack, overrides).settings.instance)).get("router");
  return router?.hash === "";
}

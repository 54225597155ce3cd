import { command, fix } from "../../contract/fix.ts";
import { Interrupted } from "../../contract/interrupted.ts";
import type { EngineStream } from "./changes.ts";

/** What an operation of the engine ended by Ctrl-C or SIGTERM. */
export interface EndedOperation {
  readonly verb: "preview" | "up" | "down";
  readonly stack: string;
  /** Whether the stack is this machine's own. */
  readonly local: boolean;
  /** Undefined if the engine had completed it. */
  readonly failure: unknown;
}

/** What is true after an operation of the engine that was ended, and what continues it. */
export function interruptedEngine({ verb, stack, local, failure }: EndedOperation, stream: EngineStream): Interrupted {
  const up = command(local ? `up ${stack} --engine` : `up ${stack}`);
  const again = verb === "down" ? command(`down ${stack}`) : up;
  const next = verb === "down" ? fix`${again} continues, ${up} makes again what is deleted` : fix`${again} continues`;
  const cause = { cause: failure };
  if (stream.preview) return new Interrupted("the engine has changed no resource", next, cause);
  if (failure === undefined) return new Interrupted("the engine had completed its operations", next);
  const { unfinished } = stream;
  const done = `the engine has ended; operations done: ${stream.changes.length - unfinished.length}`;
  const open = unfinished.length === 0 ? "" : `; what may still be carried out: ${unfinished.join(", ")}`;
  return new Interrupted(`${done}${open}`, next, cause);
}

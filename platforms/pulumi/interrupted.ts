import { fix } from "../../contract/fix.ts";
import { Interrupted } from "../../contract/interrupted.ts";
import type { EngineStream } from "./changes.ts";
import { engineCommand, type EngineOperation } from "./explain.ts";

/** What an operation of the engine ended by Ctrl-C or SIGTERM. */
export interface EndedOperation extends EngineOperation {
  /** Undefined if the engine had completed it. */
  readonly failure: unknown;
}

/** What is true after an operation of the engine that was ended, and what continues it. */
export function interruptedEngine({ failure, ...operation }: EndedOperation, stream: EngineStream): Interrupted {
  const down = operation.verb === "down";
  const up = engineCommand({ ...operation, verb: "up" });
  const again = down ? engineCommand(operation) : up;
  const next = down ? fix`${again} continues, ${up} makes again what is deleted` : fix`${again} continues`;
  const cause = { cause: failure };
  if (stream.preview) return new Interrupted("the engine has changed no resource", next, cause);
  if (failure === undefined) return new Interrupted("the engine had completed its operations", next);
  const { unfinished } = stream;
  const done = `the engine has ended; operations done: ${stream.changes.length - unfinished.length}`;
  const open = unfinished.length === 0 ? "" : `; what may still be carried out: ${unfinished.join(", ")}`;
  return new Interrupted(`${done}${open}`, next, cause);
}

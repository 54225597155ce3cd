import type { HookCall } from "../rollout/ports/hooks.ts";

/** A run as the hook gets it: the body of the request, or the program's standard input. */
export interface CallBody {
  readonly type: "rollout.hook";
  /** When the run began, ISO 8601. */
  readonly timestamp: string;
  readonly data: ReturnType<typeof dataOf>;
}

/** @param now milliseconds since 1970 */
export function callBody(stack: string, call: HookCall, now: number): CallBody {
  return { type: "rollout.hook", timestamp: new Date(now).toISOString(), data: dataOf(stack, call) };
}

function dataOf(stack: string, { rollout, ...call }: HookCall) {
  const { id, stable, candidate, image, stableImage, by, reason, startedAt } = rollout;
  return {
    /**
     * The same for every attempt: a receiver that has done the work of this identifier answers as it did then. The runs of one
     * rollout, step and hook differ in `attempt` alone.
     */
    id: `${id}-${call.step}-${call.hook}`,
    ...{ stack, rollout: id, ...call, stable, candidate, image },
    ...(stableImage === undefined ? {} : { stableImage }),
    ...{ by, reason, startedAt },
  };
}

import type { LocalRollout, RolloutContext } from "../../operations/rollout/context.ts";
import { startRolloutStack } from "../../tests/support/rollout-stack.ts";

/** What a measurement runs against. */
export interface Target {
  readonly title: string;
  readonly context: RolloutContext;
  readonly routesDirectory: string;
  /** A slot without the router in between, published like the router; absent where a stack publishes none. */
  readonly directUrl?: string;
  end(): Promise<void>;
}

/**
 * `--stack` measures the stack that `./exai up` has brought up; without it, the rollout's part of it is started as plain
 * containers and removed afterwards.
 */
export async function chooseTarget(args: readonly string[], options: Partial<LocalRollout> = {}): Promise<Target> {
  if (args.includes("--stack")) {
    const { rolloutContext, routesDirectory } = await import("../../cli/local/rollout.ts");
    const { localStack } = await import("../../cli/local/project.ts");
    const own = await rolloutContext("local", {}, new AbortController().signal);
    const context = { ...own, gates: { ...own.gates, ...options.gates } };
    return {
      title: "the stack of ./exai up",
      context,
      routesDirectory: routesDirectory(localStack("local", {})),
      end: () => Promise.resolve(),
    };
  }
  const stack = await startRolloutStack();
  return {
    title: "plain containers",
    context: stack.context(options),
    routesDirectory: stack.routesDirectory,
    directUrl: stack.directUrl,
    end: () => stack.down(),
  };
}

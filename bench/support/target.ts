import { join } from "node:path";
import type { Overrides } from "../../cli/local/project.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import type { LocalRollout, RolloutContext } from "../../operations/rollout/context.ts";
import { startRolloutStack } from "../../tests/support/rollout-stack.ts";

/** What a measurement runs against. */
export interface Target {
  readonly title: string;
  readonly context: RolloutContext;
  readonly routesDirectory: string;
  /** A slot without the router in between, published like the router; absent where a stack publishes none. */
  readonly directUrl?: string;
  /** The command that an operator would type to roll back, where the target is a stack that the CLI knows. */
  readonly rollback?: readonly [program: string, ...words: string[]];
  end(): Promise<void>;
}

/**
 * `stack` measures the stack that `./exai up` has brought up, with the same `--set`; without it, the rollout's part of it is started as plain
 * containers and removed afterwards.
 */
export async function chooseTarget(
  { stack = false, overrides = {} }: { readonly stack?: boolean; readonly overrides?: Overrides },
  options: Partial<LocalRollout> = {},
): Promise<Target> {
  if (stack) {
    const { rolloutContext, routesDirectory } = await import("../../cli/local/rollout.ts");
    const { localStack } = await import("../../cli/local/project.ts");
    const own = await rolloutContext("local", overrides, new AbortController().signal);
    const settings = Object.entries(overrides).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const context = { ...own, gates: { ...own.gates, ...options.gates } };
    return {
      title: "the stack of ./exai up",
      context,
      routesDirectory: routesDirectory(localStack("local", overrides)),
      rollback: [join(PROJECT_ROOT, "exai"), "rollback", ...settings],
      end: () => Promise.resolve(),
    };
  }
  const plain = await startRolloutStack();
  return {
    title: "plain containers",
    context: plain.context(options),
    routesDirectory: plain.routesDirectory,
    directUrl: plain.directUrl,
    end: () => plain.down(),
  };
}

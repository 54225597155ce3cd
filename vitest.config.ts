import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./tests/support/longest-first.ts";

/** Tests that measure time. They run one file after the other, with nothing else on the machine. */
const TIMING = ["tests/integration/reference-server/**/*.test.ts"];

/**
 * Tests that use the cluster. They run one file after the other: its node has room for one stack, and one of the files
 * restarts the gateway.
 */
const CLUSTER = ["tests/cluster/**/*.test.ts", "tests/engine/{prod,staging}.test.ts"];

/**
 * Tests that start containers, and the Pulumi engine without a cluster. They run side by side: each file has its own stack,
 * ports and gates that ignore speed.
 */
const CONTAINERS = ["tests/integration/**/*.test.ts", "tests/engine/{data,keys,lanes,local}.test.ts"];

/** Files of {@link CONTAINERS} at the same time: a stack in a rollout waits more than it computes. */
const SIDE_BY_SIDE = Math.min(3, 2 * availableParallelism());

/** They end what hangs, and measure nothing: a busy machine takes several times as long for what a quiet one does in seconds. */
const TIMEOUTS = { testTimeout: 300_000, hookTimeout: 600_000 };

/** `./exai test` runs the projects in this order. */
export default defineConfig({
  test: {
    env: { PULUMI_ERROR_OUTPUT_STRING: "true" },
    // The default of one second fails on a busy machine.
    expect: { poll: { timeout: 30_000 } },
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          ...TIMEOUTS,
          name: "pure",
          include: ["tests/**/*.test.ts"],
          exclude: [...CONTAINERS, ...CLUSTER, ...TIMING],
          setupFiles: "tests/support/seed.ts",
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          ...TIMEOUTS,
          name: "containers",
          include: CONTAINERS,
          exclude: TIMING,
          globalSetup: "tests/support/images.ts",
          maxWorkers: SIDE_BY_SIDE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          ...TIMEOUTS,
          name: "cluster",
          include: CLUSTER,
          globalSetup: "tests/support/images.ts",
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          ...TIMEOUTS,
          name: "timing",
          include: TIMING,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});

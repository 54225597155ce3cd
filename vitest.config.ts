import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/**
 * One file after the other: what judges time by itself, and what shares a cluster, whose node has room for one stack and
 * whose gateway one of the files starts anew.
 */
const ALONE = ["tests/integration/reference-server/**/*.test.ts", "tests/cluster/**/*.test.ts"];

/**
 * Side by side: what starts containers or the engine, and waits for them most of the time. Each file has a stack of its own,
 * with names, ports and a folder of its own, and gates that do not judge speed.
 */
const WAITING = ["tests/integration/**/*.test.ts", "tests/engine/**/*.test.ts"];

/** Files of {@link WAITING} at the same time: a stack of containers in a rollout waits more than it works. */
const SIDE_BY_SIDE = Math.min(4, availableParallelism());

const PATIENCE = { testTimeout: 300_000, hookTimeout: 600_000 };

export default defineConfig({
  test: {
    env: { PULUMI_ERROR_OUTPUT_STRING: "true" },
    projects: [
      {
        extends: true,
        test: {
          name: "pure",
          include: ["tests/**/*.test.ts"],
          exclude: [...WAITING, ...ALONE],
          setupFiles: "tests/support/seed.ts",
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          ...PATIENCE,
          name: "waiting",
          include: WAITING,
          exclude: ALONE,
          globalSetup: "tests/support/images.ts",
          maxWorkers: SIDE_BY_SIDE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { ...PATIENCE, name: "alone", include: ALONE, fileParallelism: false, sequence: { groupOrder: 2 } },
      },
    ],
  },
});

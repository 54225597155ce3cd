import { defineConfig } from "vitest/config";

/** What runs containers, clusters or an engine: one file at a time, since gates judge latency and cores are few. */
const REAL = ["tests/integration/**/*.test.ts", "tests/engine/**/*.test.ts", "tests/cluster/**/*.test.ts"];

export default defineConfig({
  test: {
    env: { PULUMI_ERROR_OUTPUT_STRING: "true" },
    projects: [
      {
        extends: true,
        test: {
          name: "pure",
          include: ["tests/**/*.test.ts"],
          exclude: REAL,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "real",
          include: REAL,
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts", "images/*/tests/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 300_000,
    // The machine has few cores, and integration suites share one Docker engine.
    maxWorkers: 2,
    env: { PULUMI_ERROR_OUTPUT_STRING: "true" },
  },
});

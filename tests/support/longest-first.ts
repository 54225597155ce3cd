import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that run for over a minute, the longest first. A long file that starts last runs alone while other workers idle. */
export const LONG_FILES: readonly string[] = [
  "tests/engine/local.test.ts",
  "tests/integration/local/rotation.test.ts",
  "tests/integration/backups/local.test.ts",
  "tests/integration/local/up.test.ts",
  "tests/integration/docs/console.test.ts",
  "tests/integration/backups/damage.test.ts",
  "tests/integration/backups/restore.test.ts",
  "tests/integration/rollout/chaos.test.ts",
  "tests/integration/rollout/kill.test.ts",
  "tests/integration/database/reconcile.test.ts",
  "tests/integration/database/branches.test.ts",
  "tests/integration/rollout/gates.test.ts",
  "tests/integration/rollout/steering.test.ts",
  "tests/integration/rollout/cutover.test.ts",
  "tests/integration/database/hosted-branches.test.ts",
  "tests/integration/rollout/chaos-controller.test.ts",
  "tests/integration/monitoring/promtool.test.ts",
  "tests/integration/rollout/emptied.test.ts",
  "tests/integration/rollout/schema.test.ts",
  "tests/integration/rollout/chaos-up.test.ts",
  "tests/integration/database/migrations.test.ts",
  "tests/integration/database/record.test.ts",
];

/** The order of test files: {@link LONG_FILES} first. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = LONG_FILES.indexOf(relative(this.ctx.config.root, moduleId));
      return index < 0 ? LONG_FILES.length : index;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

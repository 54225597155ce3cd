import { about, databaseRule, statementsOfMigrations } from "../../model/database-rule.ts";

/** Migrations do not block users while they wait for a lock. */
export const migrationLocks = databaseRule(
  {
    name: "migration-lock-timeouts",
    title: "Statements that lock tables of earlier migrations have a lock_timeout",
    level: "advisory",
    documentation:
      "While a statement waits for an exclusive lock, all later queries wait too. The rule checks the locks that each statement takes (`pg_locks`) on tables of earlier files, and the `lock_timeout` at that time.",
    references: [{ standard: "squawk", item: "require-timeout-settings" }],
    levelIn: { prod: "mandatory" },
  },
  function* (database) {
    for (const statement of statementsOfMigrations(database))
      yield about(
        { name: statement.text.slice(0, 60), source: statement.source },
        statement.locks.length === 0 || statement.lockTimeout,
        `it locks ${statement.locks.join(", ")} without a lock_timeout`,
        "add set lock_timeout = '5s'; at the start of the file",
      );
  },
);

import { about, databaseRule } from "../../model/database-rule.ts";

/** Migrations do not queue the users behind them. */
export const migrationLocks = databaseRule(
  {
    name: "migration-lock-timeouts",
    title: "Statements that lock tables of earlier migrations have a lock_timeout",
    level: "advisory",
    documentation:
      "A statement that waits for an exclusive lock makes every later query wait behind it. Seen are the locks that each statement really took (`pg_locks`) on tables that an earlier file made, and the `lock_timeout` that was set then.",
    references: [{ standard: "squawk", item: "require-timeout-settings" }],
    levelIn: { prod: "mandatory" },
  },
  function* (database) {
    for (const statement of database.statements)
      yield about(
        { name: statement.text.slice(0, 60), source: statement.source },
        statement.locks.length === 0 || statement.lockTimeout,
        `it locks ${statement.locks.join(", ")} without a lock_timeout`,
        "set lock_timeout = '5s'; at the head of the file",
      );
  },
);

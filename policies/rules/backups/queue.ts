import { about, databaseRule } from "../../model/database-rule.ts";

/** What the runner asks for works after all migrations. */
export const queue = databaseRule(
  {
    name: "backup-queue",
    title: "The queue of the migrations keeps the declared schedules, enqueues what is due and hands it out",
    level: "mandatory",
    documentation:
      "As soon as the functions of the queue exist, the plan declares one schedule of each kind in the role of the runner. After all migrations it looks whether they are unchanged and active, lets them fall due, and claims and completes a backup. So a migration that changes or deletes schedules, replaces a function, puts a trigger or a rule in the way, or revokes a privilege of the runner is a finding, however it is written.",
    references: [
      { standard: "NIST SP 800-53", item: "CP-9" },
      { standard: "Requirement", item: "backups run as they are declared" },
    ],
  },
  function* ({ backupQueue }) {
    const name = "public.backup_schedules";
    yield about({ name }, true, "", "");
    for (const problem of backupQueue ?? [])
      yield about(
        { name },
        false,
        problem,
        "leave the schedules and the functions of the queue to the runner and its migrations",
      );
  },
);

import { Option } from "commander";
import type { Overrides } from "../local/project.ts";
import { withOverrides, type Register } from "./command.ts";

interface Flags {
  readonly set?: Overrides;
}

/** migrate and backup: the database. */
export const registerData: Register = (program, run) => {
  const migrate = program.command("migrate").description("migrations of the database, by the Supabase CLI");
  const stackOf = (name: string, description: string) =>
    withOverrides(migrate.command(name).description(description).argument("[stack]", "local", "local"));
  stackOf("plan", "which migrations are applied and which are pending").action(async (stack: string, flags: Flags) => {
    const { migratePlan } = await import("../verbs/migrate.ts");
    await run(async function* (signal) {
      return yield* migratePlan(await databaseOf(stack, flags), { signal });
    });
  });
  stackOf("apply", "apply the pending migrations").action(async (stack: string, flags: Flags) => {
    const { migrateApply } = await import("../verbs/migrate.ts");
    await run(async function* (signal) {
      return yield* migrateApply(await databaseOf(stack, flags), { signal });
    });
  });
  stackOf("test", "run the pgTAP tests of supabase/tests; they roll back what they write").action(
    async (stack: string, flags: Flags) => {
      const { migrateTest } = await import("../verbs/migrate.ts");
      await run(async function* (signal) {
        return yield* migrateTest(await databaseOf(stack, flags), { signal });
      });
    },
  );

  const backup = program.command("backup").description("backups of the database");
  withOverrides(
    backup.command("now").description("make a backup now and wait for it").argument("[stack]", "local", "local"),
  )
    .addOption(
      new Option("--kind <kind>", "kind of backup")
        .choices(["full", "incremental", "differential", "weekly"])
        .default("incremental"),
    )
    .action(async (stack: string, flags: Flags & { kind: "full" | "incremental" | "differential" | "weekly" }) => {
      const { backupNow, refuseCluster } = await import("../verbs/backup.ts");
      await run(async function* (signal) {
        refuseCluster(stack, "now");
        return yield* backupNow(await databaseOf(stack, flags), { kind: flags.kind, signal });
      });
    });
  withOverrides(
    backup.command("list").description("the backups and what became of them").argument("[stack]", "local", "local"),
  ).action(async (stack: string, flags: Flags) => {
    const { backupList, refuseCluster } = await import("../verbs/backup.ts");
    await run(async function* (signal) {
      refuseCluster(stack, "list");
      return yield* backupList(await databaseOf(stack, flags), { signal });
    });
  });
};

async function databaseOf(stack: string, flags: Flags): Promise<string> {
  const [{ localDatabaseUrl }, { localStack }] = await Promise.all([
    import("../local/database.ts"),
    import("../local/project.ts"),
  ]);
  return localDatabaseUrl(localStack(stack, flags.set ?? {}));
}

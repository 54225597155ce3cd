import { Option } from "commander";
import type { Database } from "../../platforms/database.ts";
import type { Overrides } from "../../platforms/compose/project.ts";
import { withOverrides, type Register } from "./command.ts";

interface Flags {
  readonly set?: Overrides;
}

interface MigrateFlags extends Flags {
  readonly url?: string;
  readonly expand?: boolean;
}

/** migrate and backup: the database. */
export const registerData: Register = (program, run) => {
  const migrate = program.command("migrate").description("migrations of the database, by the Supabase CLI");
  const stackOf = (name: string, description: string) =>
    withOverrides(
      migrate
        .command(name)
        .description(description)
        .argument("[stack]", "local, staging or prod", "local")
        .option("--url <url>", "connection string, instead of the stack's (or EXAI_DATABASE_URL)"),
    );
  stackOf("plan", "which migrations are applied and which are pending").action(
    async (stack: string, flags: MigrateFlags) => {
      const { migratePlan } = await import("../verbs/migrate.ts");
      await run(async function* (signal) {
        const { url, guard } = await databaseOf(stack, flags, signal);
        return yield* migratePlan(url, { signal, guard });
      });
    },
  );
  stackOf("apply", "apply the pending migrations, where no release needs what they take")
    .option("--expand", "only what comes before the first contract migration", false)
    .action(async (stack: string, flags: MigrateFlags) => {
      const { migrateApply } = await import("../verbs/migrate.ts");
      await run(async function* (signal) {
        const { url, guard, changed } = await databaseOf(stack, flags, signal);
        const expand = flags.expand === true;
        return yield* changed("migrate apply", () => migrateApply(url, { signal, guard, expand }));
      });
    });
  stackOf("test", "run the pgTAP tests of supabase/tests; they roll back what they write").action(
    async (stack: string, flags: MigrateFlags) => {
      const { migrateTest } = await import("../verbs/migrate.ts");
      await run(async function* (signal) {
        return yield* migrateTest((await databaseOf(stack, flags, signal)).url, { signal });
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
        return yield* backupNow((await databaseOf(stack, flags, signal)).url, { kind: flags.kind, signal });
      });
    });
  withOverrides(
    backup.command("list").description("the backups and what became of them").argument("[stack]", "local", "local"),
  ).action(async (stack: string, flags: Flags) => {
    const { backupList, refuseCluster } = await import("../verbs/backup.ts");
    await run(async function* (signal) {
      refuseCluster(stack, "list");
      return yield* backupList((await databaseOf(stack, flags, signal)).url, { signal });
    });
  });
};

async function databaseOf(stack: string, flags: MigrateFlags, signal: AbortSignal): Promise<Database> {
  const module = await import("../../platforms/database.ts");
  return module.databaseOf(stack, { overrides: flags.set ?? {}, url: flags.url, signal });
}

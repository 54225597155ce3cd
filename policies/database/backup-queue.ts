import type { Postgres, Row } from "./postgres.ts";

/** Schedules as the runner declares them. No schedule of a program has their names. */
const DECLARED = [
  { name: "plan_full", kind: "full", frequency: "daily", cron: "0 2 * * *" },
  { name: "plan_incremental", kind: "incremental", frequency: "hourly", cron: "0 * * * *" },
  { name: "plan_weekly", kind: "differential", frequency: "weekly", cron: "0 3 * * 0" },
] as const;

const RETENTION_DAYS = 14;

/** The label of a full backup, as pgBackRest gives it. */
const LABEL = "20260101-000000F";

/** The schedules in a condition. */
const NAMES = DECLARED.map(({ name }) => `'${name}'`).join(", ");

/** The runner's role: what is revoked from it, it cannot do. */
const AS_RUNNER = "begin; set local role exai_backup;";

const EXISTS = `select to_regprocedure('exai.backup_declare(text, text, text, text, text, integer)') is not null as found`;

/**
 * Uses the queue of backups as the runner does. Its schedules are declared as soon as the queue exists, so that the migrations
 * which follow find them, as on a server.
 */
export class BackupQueue {
  readonly #postgres: Postgres;
  #existed = false;

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  /** To be called after each migration. */
  async declare(): Promise<void> {
    if (this.#existed) return;
    const [row] = await this.#postgres.run(EXISTS);
    if (row?.found !== true) return;
    this.#existed = true;
    await this.#try(`${AS_RUNNER} ${declaration()}; commit`);
  }

  /** What the queue does not do after all migrations; undefined if there never was one. Removes its schedules. */
  async problems(): Promise<readonly string[] | undefined> {
    if (!this.#existed) return undefined;
    const found = await this.#used();
    // Without triggers: no trigger may keep a row from the probes.
    await this.#try(
      `begin; set local session_replication_role = replica;
       delete from public.backup_history where schedule_id in (select id from public.backup_schedules where name in (${NAMES}));
       delete from public.backup_schedules where name in (${NAMES}); commit`,
    );
    return found;
  }

  async #used(): Promise<readonly string[]> {
    const rows = await this.#try(
      `${AS_RUNNER} select name, kind, frequency, cron_expression as cron, time_zone, retention_days, is_active from public.backup_schedules where name in (${NAMES})`,
    );
    if (typeof rows === "string") return [`the runner cannot read the schedules: ${rows}`];
    await this.#end();
    const changed = DECLARED.flatMap((schedule) => {
      const row = rows.find(({ name }) => name === schedule.name);
      if (row === undefined) return [`a declared schedule of kind ${schedule.kind} is gone`];
      if (row.is_active !== true) return [`a declared schedule of kind ${schedule.kind} is switched off`];
      const wanted = { ...schedule, time_zone: "UTC", retention_days: RETENTION_DAYS };
      const differs = Object.entries(wanted).find(([key, value]) => row[key] !== value);
      return differs === undefined
        ? []
        : [`${differs[0]} of a declared schedule of kind ${schedule.kind} is ${String(row[differs[0]])}`];
    });
    return changed.length > 0 ? changed : await this.#run();
  }

  /** Declares, enqueues, claims and completes, and rolls back. */
  async #run(): Promise<readonly string[]> {
    const due = await this.#try(
      `${AS_RUNNER} ${declaration()};
       update public.backup_schedules set checked_at = now() - interval '8 days' where name in (${NAMES});
       select name from exai.backup_tick() as name where name in (${NAMES})`,
    );
    if (typeof due === "string") return [`schedules that are due are not enqueued: ${due}`];
    const missing = DECLARED.filter(({ name }) => due.every((row) => row.name !== name));
    const problems = missing.map(({ kind }) => `a schedule of kind ${kind} that is due is not enqueued`);
    if (problems.length === 0) {
      const claimed = await this.#try("select count(*)::int as n from exai.backup_claim()");
      if (typeof claimed === "string") return [`an enqueued backup cannot be claimed: ${claimed}`];
      if (claimed[0]?.n !== 1) problems.push("an enqueued backup is not handed out to the runner");
      else {
        const expirable = await this.#try(
          `select exai.backup_complete(id, '${LABEL}', '/backup', 1, 1, '{}', '{}') from public.backup_history where status = 'in_progress';
           select count(*)::int as n from exai.backup_expirable() as e
           where '${LABEL}' in (e.label, (select h.label from public.backup_history as h where h.id = e.id))`,
        );
        if (typeof expirable === "string") return [`a backup cannot be completed: ${expirable}`];
        if (expirable[0]?.n !== 0) problems.push("a backup that was just made is expired");
        const completed = await this.#try(
          `set local role exai_monitor;
           select count(*)::int as n from exai.backup_status where schedule in (${NAMES})`,
        );
        if (typeof completed === "string") return [`the state of the schedules cannot be read: ${completed}`];
        if (completed[0]?.n !== DECLARED.length) problems.push("the state of the schedules leaves one out");
      }
    }
    await this.#end();
    return problems;
  }

  /** The rows, or PostgreSQL's message; then no transaction is open. */
  async #try(sql: string): Promise<readonly Row[] | string> {
    try {
      return await this.#postgres.run(sql);
    } catch (error) {
      await this.#end();
      return (error as Error).message;
    }
  }

  async #end(): Promise<void> {
    await this.#postgres.run("rollback");
  }
}

function declaration(): string {
  return DECLARED.map(
    ({ name, kind, frequency, cron }) =>
      `select exai.backup_declare('${name}', '${kind}', '${frequency}', '${cron}', 'UTC', ${RETENTION_DAYS})`,
  ).join("; ");
}

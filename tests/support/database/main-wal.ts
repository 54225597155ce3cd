import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { SLOTS } from "../../../contract/slots.ts";
import { docker } from "../../../operations/docker/cli.ts";

/** What a database writes to its WAL for others, and which sessions it ends. */
export class MainWatch {
  readonly #client: Client;
  readonly #stack: string;

  /** @param stack its instance name */
  constructor(client: Client, stack: string) {
    this.#client = client;
    this.#stack = stack;
  }

  /**
   * Runs something while the stack itself writes nothing: the servers, which say each minute that they run, are paused, and so are the jobs of each
   * minute. Autovacuum, the check of the first backup, and the pages whose rows are read for the first time are over before.
   */
  async whileQuiet(run: () => Promise<void>): Promise<void> {
    const servers = SLOTS.map((slot) => `${this.#stack}-server-${slot}`);
    await docker(["pause", ...servers]);
    try {
      await this.#client.query("alter system set autovacuum = off");
      // A checkpoint removes older segments.
      await this.#client.query("alter system set wal_keep_size = '256MB'");
      await this.#client.query("select pg_reload_conf()");
      await this.#client.query("update cron.job set active = false");
      const ended = `select exists (select from public.backup_verification where status = 'passed') and not exists (
        select from pg_stat_activity where backend_type = 'autovacuum worker' or application_name like 'pg_cron%' and state = 'active') as ended`;
      while ((await this.#client.query<{ ended: boolean }>(ended)).rows[0]?.ended !== true) await sleep(300);
      await this.#client.query("vacuum");
      await this.#client.query("checkpoint");
      await run();
    } finally {
      await docker(["unpause", ...servers]);
      await this.#client.query("update cron.job set active = true");
    }
  }

  /** The position up to which the WAL is on the disk. */
  async position(): Promise<string> {
    return (await this.#client.query<{ at: string }>("select pg_current_wal_flush_lsn() as at")).rows[0]?.at ?? "";
  }

  /** The records of the WAL after a position, without those of the server about itself: checkpoints, running transactions, and the end of a segment for the archive. */
  async writtenAfter(from: string): Promise<readonly string[]> {
    await this.#client.query("checkpoint");
    const words = [
      "--path=/var/lib/postgresql/data/pgdata/pg_wal",
      `--start=${from}`,
      `--end=${await this.position()}`,
    ];
    const dump = await docker(["exec", `${this.#stack}-postgres`, "pg_waldump", ...words]);
    const records = dump.split("\n").filter((line) => line.startsWith("rmgr: "));
    // A look at nothing would find nothing.
    if (!records.some((line) => line.includes("CHECKPOINT_ONLINE")))
      throw new Error(`no checkpoint after ${from}:\n${dump}`);
    return records.filter((line) => !/desc: (RUNNING_XACTS|CHECKPOINT_ONLINE|SWITCH)/.test(line));
  }

  /** This session, and how many sessions the server has ended since it started. */
  async sessions(): Promise<Readonly<Record<string, unknown>>> {
    const { rows } = await this.#client.query<Record<string, unknown>>(
      `select sum(sessions_fatal + sessions_killed + sessions_abandoned)::int as ended, pg_postmaster_start_time()::text as started,
         (select pid from pg_stat_activity where pid = pg_backend_pid()) as own
       from pg_stat_database`,
    );
    return rows[0] ?? {};
  }
}

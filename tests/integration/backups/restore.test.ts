import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { migrateApply } from "../../../cli/commands/migrate/migrate.ts";
import { restoreAbort, restoreInto, restoreReplacing, restoreResume } from "../../../cli/commands/backups/restore.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import { flushArchive } from "../../../operations/restore/archive.ts";
import {
  restoreInPlace,
  type InPlaceRequest,
  type InPlaceResult,
  type RestoredInPlace,
} from "../../../operations/restore/in-place.ts";
import type { RestoreSite } from "../../../operations/restore/site.ts";
import type { Restored, RestoreRequest, RestoreResult } from "../../../operations/restore/restore.ts";
import {
  dropAllScratch,
  dropScratch,
  listScratch,
  volumesOf,
  type RestorePlace,
} from "../../../operations/restore/scratch.ts";
import { firstBackup, startPostgresStack, type PostgresStack } from "../../support/postgres-stack.ts";
import { restoreSite } from "../../support/restore-site.ts";
import { runOperation, runVerb as run } from "../../support/verbs.ts";

let stack: PostgresStack;
let place: RestorePlace;
/** When all rows were there, and after the table was dropped. */
let complete: Date;
let dropped: Date;

beforeAll(async () => {
  stack = await startPostgresStack();
  await run(migrateApply(stack.url));
  await stack.startRunner();
  await firstBackup(stack);
  const { name: instance, image, passphrase, url } = stack;
  place = { stack: "local", instance, image, passphrase, url };
  await stack.sql(`
    create table public.orders (id bigserial primary key, item text not null, price numeric check (price > 0));
    create index orders_item_idx on public.orders (item);
    insert into public.orders (item, price) select 'item ' || i, i from generate_series(1, 3000) as i;
    create table public.events (id bigint generated always as identity primary key, at timestamptz default now());
    insert into public.events default values;
    insert into public.events default values;`);
  complete = await now();
  await stack.sql("vacuum full public.orders");
  await stack.sql("delete from public.orders where id > 2990");
  await stack.sql("drop table public.orders");
  await stack.sql("insert into public.events default values");
  dropped = await now();
});
afterAll(async () => {
  await stack.down();
});

afterEach(async () => {
  await dropAllScratch(stack.name);
});

async function now(): Promise<Date> {
  return new Date(`${(await stack.sql("select clock_timestamp()::timestamp")).trim().replace(" ", "T")}Z`);
}

async function restored(request: Partial<RestoreRequest> & Pick<RestoreRequest, "target" | "name">) {
  const { code, events } = await run(restoreInto(place, { tables: [], pause: false, ...request }));
  const { data } = events.at(-1) as { data: RestoreResult };
  return { code, data };
}

function query(name: string, sql: string): Promise<string> {
  return docker(["exec", `${stack.name}-restored-${name}`, "psql", "-XqAt", "-c", sql]);
}

describe("a restore into a scratch server", () => {
  it("has all commits up to a time and none after it, read-only until it is promoted", async () => {
    const { data } = await restored({ target: { kind: "time", at: complete }, name: "time", pause: true });
    const { state, before, after } = data as Restored;
    expect(state).toBe("read-only");
    expect(before?.at.getTime()).toBeLessThanOrEqual(complete.getTime());
    expect(after?.at.getTime()).toBeGreaterThan(complete.getTime());
    expect(await query("time", "select count(*), pg_is_in_recovery() from orders")).toBe("3000|t\n");
    await expect(query("time", "insert into events default values")).rejects.toThrow(/read-only/);
  });

  it("ends before a DROP TABLE whose time is not known exactly, and copies the table back", async () => {
    const around = new Date(dropped.getTime() + 120_000);
    const target = { kind: "before", at: around, withinMinutes: 15 } as const;
    const { code, data } = await restored({ target, name: "before", tables: ["public.orders"] });
    expect(code).toBe(0);
    const { statement, tables } = data as Restored;
    expect(statement).toMatchObject({ kind: "drop", tables: ["public.orders"] });
    const [copy] = tables;
    expect(copy).toMatchObject({ table: "public.orders", rows: 2990 });
    const as = copy?.as ?? "";
    expect(as).toMatch(/^public\.orders_restored_\d{8}t\d{6}$/);
    expect(await stack.sql(`select count(*), min(price), max(item) from ${as}`)).toBe("2990|1|item 999\n");
    // It goes on counting after the last number, keeps its checks, and only the owner reads it.
    expect(await stack.sql(`insert into ${as} (item, price) values ('new', 1) returning id`)).toBe("2991\n");
    await expect(stack.sql(`insert into ${as} (item, price) values ('free', 0)`)).rejects.toThrow(/check constraint/);
    expect(await stack.sql(`set role service_role; select has_table_privilege('anon', '${as}', 'select')`)).toBe("f\n");
    expect(await query("before", "select count(*) from orders")).toBe("2990\n");
  });

  it("to the last commit has everything, and changes neither database nor archive", async () => {
    const timeline = () => stack.sql("select timeline_id from pg_control_checkpoint()");
    const earlier = await timeline();
    const { data } = await restored({ target: { kind: "latest" }, name: "latest" });
    expect(data).toMatchObject({ outcome: "restored", state: "writable", after: null });
    expect(await query("latest", "select count(*), to_regclass('orders') is null from events")).toBe("3|t\n");
    // Its own timeline stays its own.
    expect(await query("latest", "select pg_is_in_recovery(), count(*) from cron.job where false")).toBe("f|0\n");
    expect(await timeline()).toBe(earlier);
    expect((await listScratch(stack.name)).map(({ name }) => name)).toEqual(["latest"]);
    await expect(restored({ target: { kind: "latest" }, name: "latest" })).rejects.toThrow(/of this name exists/);
    await dropScratch(stack.name, "latest");
  });

  it("counts the rows of a deletion that goes through many segments, and says what it has locked", async () => {
    const client = new pg.Client({ connectionString: stack.url });
    await client.connect();
    await stack.sql("create table public.many as select i from generate_series(1, 90000) as i");
    const start = await now();
    await client.query("begin; lock table public.many");
    for (let part = 0; part < 9; part += 1) {
      await client.query(
        `delete from public.many where i > ${String(part * 10_000)} and i <= ${String((part + 1) * 10_000)}`,
      );
      await stack.sql("insert into public.events default values; select pg_switch_wal()");
    }
    await client.query("commit");
    await client.end();
    const target = { kind: "before", at: new Date(start.getTime() + 60_000), withinMinutes: 1 } as const;
    const { data } = await restored({ target, name: "many", pause: true });
    expect(data).toMatchObject({ statement: { kind: "delete", tables: ["public.many"], rows: 90_000 } });
    expect((data as Restored).locked).toEqual(["public.many"]);
  });

  it("lists the statements where several match, and restores nothing", async () => {
    await stack.sql("create table public.a (); create table public.b ()");
    await stack.sql("drop table public.a");
    await stack.sql("drop table public.b");
    const target = { kind: "before", at: await now(), withinMinutes: 15 } as const;
    const { code, data } = await restored({ target, name: "several" });
    expect(code).toBe(3);
    expect(data.outcome).toBe("ambiguous");
    expect(await listScratch(stack.name)).toEqual([]);
  });

  it("names the reason if the target is before the first backup", async () => {
    const at = new Date(complete.getTime() - 86_400_000);
    await expect(restored({ target: { kind: "time", at }, name: "early" })).rejects.toThrow(/after the target/);
    expect(await listScratch(stack.name)).toEqual([]);
  });
});

describe("a restore in place", () => {
  let site: RestoreSite;
  const orders = () => stack.sql("select count(*) from public.orders");
  const timeline = () => stack.sql("select timeline_id from pg_control_checkpoint()");
  const findings = () => docker(["exec", stack.runner, "bash", "-c", "exai-verify || true"]);
  const replaced = async (request: Partial<InPlaceRequest> & Pick<InPlaceRequest, "target">) => {
    const { code, events } = await run(restoreReplacing(site, { backup: true, proof: true, ...request }));
    return { code, data: (events.at(-1) as { data: InPlaceResult }).data as RestoredInPlace };
  };
  /** Ends the work as a kill does: at a step, without any of what follows, not even the clean-up. */
  const killedAt = async (id: string, target: InPlaceRequest["target"]) => {
    const work = restoreInPlace(site, { target, backup: false, proof: true });
    for (let next = await work.next(); next.done !== true; next = await work.next())
      if (next.value.type === "step" && next.value.id === id && next.value.status === "started") return;
  };

  beforeAll(() => {
    site = restoreSite(stack);
  });

  it("replaces the database, with a backup before and after, the present passwords and all backups in its history", async () => {
    await stack.sql("alter role exai_server password 'of the past'");
    await stack.sql("create table public.orders (id integer); insert into public.orders select generate_series(1, 50)");
    const at = await now();
    await stack.sql("alter role exai_server password 'of later'; drop table public.orders");
    await stack.sql("insert into public.events default values");
    const before = Number(await timeline());
    const { code, data } = await replaced({ target: { kind: "time", at } });
    expect(data.checks.filter(({ status }) => status === "failed")).toEqual([]);
    expect(code).toBe(0);
    expect(data).toMatchObject({ outcome: "restored-in-place", kept: null });
    expect(await orders()).toBe("50\n");
    expect(Number(await timeline())).toBe(before + 1);
    const client = new pg.Client({ connectionString: stack.serverUrl });
    await client.connect();
    await client.end();
    // The restored history ends before the backups that were made since.
    const labels = (await stack.sql("select label from backup_history where expired_at is null")).trim().split("\n");
    expect(labels).toEqual(expect.arrayContaining([data.safety, data.firstBackup]));
    expect(await findings()).toBe("");
    expect(await docker(["exec", stack.postgres, "ls", "/var/lib/postgresql/data"])).toBe("pgdata\n");
    // What was written to the old database can still be restored.
    const past = await restored({ target: { kind: "backup", label: data.safety ?? "" }, name: "past" });
    expect(past.code).toBe(0);
    expect(await query("past", "select to_regclass('orders') is null")).toBe("t\n");
  });

  it("that was killed while the directories change places is completed, and users have been kept out", async () => {
    const at = await now();
    await stack.sql("delete from public.orders");
    await killedAt("swap", { kind: "time", at });
    await expect(stack.sql("select 1")).rejects.toThrow(/is not running/);
    await expect(replaced({ target: { kind: "latest" } })).rejects.toThrow(/are taking its place/);
    const { code, events } = await run(restoreResume(site, { proof: true }));
    expect(code).toBe(0);
    const kept = expect.stringMatching(/^pgdata\.before-/) as string;
    expect(events.at(-1)).toMatchObject({ data: { safety: null, kept } });
    expect(await orders()).toBe("50\n");
  });

  it("that was killed after its change goes back, and the image makes no new database in between", async () => {
    const at = await now();
    await stack.sql("delete from public.orders where id > 10");
    await killedAt("open", { kind: "time", at });
    expect((await run(restoreAbort(site))).code).toBe(0);
    expect(await orders()).toBe("10\n");
    const start = "mkdir -p $PGDATA.restored && exec exai-postgres server";
    const container = ["run", "--rm", "--env", "BACKUP_PASSPHRASE_FILE=/etc/hostname", "--entrypoint", "bash"];
    const { stderr } = await tryDocker([...container, stack.image, "-c", start]);
    expect(stderr).toContain("a restore in place is unfinished");
  });

  it("of a lost volume has all that was archived", async () => {
    await stack.sql("insert into public.orders values (51)");
    await runOperation(flushArchive(stack.url));
    await docker(["kill", stack.postgres, stack.runner]);
    const volume = `${volumesOf(stack.name).data}:/lost`;
    await docker(["run", "--rm", "--volume", volume, "--entrypoint", "sh", stack.image, "-c", "rm -r /lost/*"]);
    await expect(replaced({ target: { kind: "latest" } })).rejects.toThrow(/cannot be made/);
    const { code, data } = await replaced({ target: { kind: "latest" }, backup: false });
    expect(code).toBe(0);
    expect(data).toMatchObject({ safety: null, kept: null });
    expect(await orders()).toBe("11\n");
  });
});

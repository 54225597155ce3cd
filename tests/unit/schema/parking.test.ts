import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { madeMigrations } from "../../../operations/branches/merge/migration.ts";
import { parkedIn } from "../../../operations/branches/merge/parked.ts";
import { planChange, type PlannedChange } from "../../../operations/branches/merge/planned.ts";
import { compareFacts } from "../../../operations/schema-facts/compare.ts";
import { factsOf, type SchemaFacts } from "../../../operations/schema-facts/read.ts";
import { pglitePool } from "../../support/database/pglite-pool.ts";

let db: PGlite;
/** Before and after a merge. */
let before: SchemaFacts;
let after: SchemaFacts;
let version = 20261129120000n;

const read = () => factsOf(pglitePool(db), "PGlite");
const rows = async (sql: string) => (await db.query<Record<string, unknown>>(sql)).rows;
const parked = () => parkedIn(async (sql) => (await db.query<{ store: string; record: string }>(sql)).rows);

/** Makes one schema the other with the migrations of a change. */
async function change(from: SchemaFacts, to: SchemaFacts): Promise<PlannedChange> {
  version += 10n;
  const plan = await planChange(from, to, await parked(), String(version));
  for (const { sql } of await madeMigrations("change", "A change", plan.steps, String(version)))
    await db.exec(`begin; ${sql} commit`);
  expect(await compareFacts(await read(), to)).toEqual([]);
  return plan;
}

const SCHEMA = `
  create role reader;
  create schema a;
  create type a.state as enum ('open');
  create table a.t (id int primary key, n numeric not null, updates int not null default 0);
  create function a.touch() returns trigger language plpgsql as 'begin new.updates := old.updates + 1; return new; end';
  create trigger touch before update on a.t for each row execute function a.touch();
  create table a.loose (n int);
  insert into a.t select i, i + 0.5 from generate_series(1, 100) as i;
  insert into a.loose values (1);
`;

const MERGE = `
  alter table a.t add x text not null default '', add "odd name" int, add s a.state, add g int generated always as (id * 2) stored;
  alter table a.t alter n type int;
  create type a.mood as enum ('good', 'bad');
  alter table a.t add mood a.mood;
  create unique index on a.t ("odd name");
  create table a.k (
    id bigint generated always as identity primary key, number serial, t int not null references a.t (id), mood a.mood not null,
    unique (number)
  );
  alter table a.k enable row level security;
  alter table a.k force row level security;
  alter table a.loose add extra text;
`;

const WRITE = `
  update a.t set x = 'x' || id, "odd name" = id, s = 'open', mood = case when id % 2 = 0 then 'good' else 'bad' end::a.mood;
  insert into a.k (t, mood) select id, mood from a.t;
`;

beforeAll(async () => {
  db = new PGlite();
  await db.exec(SCHEMA);
  before = await read();
  await db.exec(`begin; ${MERGE}`);
  after = await read();
  await db.exec("rollback");
});
afterAll(() => db.close());

describe("values that a change of the schema takes away", () => {
  it("of a merge are parked too, if the new type of a column does not hold them", async () => {
    const { parked: kept, steps } = await change(before, after);
    expect(kept).toMatchObject([{ table: "a.t", columns: ["n"], rows: false }]);
    expect(steps.filter(({ destructive }) => destructive)).toEqual([]);
    expect(await rows("select n from a.t where id = 7")).toEqual([{ n: 8 }]);
  });

  it("are all parked by a revert, but for a table without a key, whose step stays destructive", async () => {
    await db.exec(WRITE);
    await db.exec("update a.t set n = 1000 where id = 3");
    const { parked: kept, putBack, steps } = await change(after, before);
    expect(kept.map(({ table, columns, rows: all }) => [table, all ? "all" : [...columns].sort()])).toEqual([
      ["a.t", ["mood", "odd name", "s", "x"]],
      ["a.k", "all"],
    ]);
    expect(steps.filter(({ destructive }) => destructive).map(({ sql }) => sql)).toEqual([
      'ALTER TABLE "a"."loose" DROP COLUMN "extra"',
    ]);
    // What was rounded has its digits again; what was written since then stays.
    expect(putBack).toMatchObject([{ table: "a.t", columns: ["n"] }]);
    expect(await rows("select id, n from a.t where id in (3, 7) order by id")).toEqual([
      { id: 3, n: "1000" },
      { id: 7, n: "7.5" },
    ]);
    expect((await parked()).map(({ table, whole }) => [table, whole]).sort()).toEqual([
      ["k", true],
      ["t", false],
    ]);
  });

  it("do not belong to the schema, and only the owner reads them", async () => {
    expect((await read()).all.facts().filter(({ id }) => JSON.stringify(id).includes("exai_parked"))).toEqual([]);
    await expect(db.exec("set role reader; select * from exai_parked.k_20261129120020")).rejects.toThrow(/permission/);
    await db.exec("reset role");
  });

  it("are put back when a merge makes their columns and tables again, for the rows that are still there", async () => {
    await db.exec("delete from a.t where id = 1; insert into a.t (id, n) values (101, 1)");
    await db.exec("update exai_parked.k_20261129120020 set t = 2 where t = 1");
    const { putBack } = await change(before, after);
    expect(putBack.flatMap(({ table, columns }) => columns.map((column) => `${table} ${column}`)).sort()).toEqual(
      ["a.k id", "a.k mood", "a.k number", "a.k t", "a.t mood", "a.t odd name", "a.t s", "a.t x"].sort(),
    );
    expect(
      await rows(`select count(*)::int as n from a.t
        where id <= 100 and (x, "odd name", s, mood) = ('x' || id, id, 'open', case when id % 2 = 0 then 'good' else 'bad' end::a.mood)`),
    ).toEqual([{ n: 99 }]);
    expect(await rows('select x, "odd name" from a.t where id = 101')).toEqual([{ x: "", "odd name": null }]);
    expect(await rows("select count(*)::int as n, min(id)::int as low, max(number) as high from a.k")).toEqual([
      { n: 100, low: 1, high: 100 },
    ]);
    // The next numbers do not meet them.
    await db.exec("insert into a.k (t, mood) values (2, 'good')");
    expect(await rows("select max(id)::int as id, max(number) as number from a.k")).toEqual([{ id: 101, number: 101 }]);
    // No trigger took it for a change by a user; the trigger fires again.
    expect(await rows("select distinct updates from a.t where id not in (3, 101)")).toEqual([{ updates: 1 }]);
    await db.exec("update a.t set x = 'new' where id = 5");
    expect(await rows("select updates from a.t where id = 5")).toEqual([{ updates: 2 }]);
    expect(await parked()).toMatchObject([{ table: "t", columns: { n: "numeric" } }]);
  });

  it("are put back before a column refuses to be without", async () => {
    await db.exec(
      `begin; alter table a.t add strict text not null default 'x'; alter table a.t alter strict drop default`,
    );
    const strict = await read();
    await db.exec("commit; update a.t set strict = 's' || id");
    await change(strict, after);
    await change(after, strict);
    expect(await rows("select count(*)::int as n from a.t where strict = 's' || id")).toEqual([{ n: 100 }]);
  });

  it("of a type that is another meanwhile stay parked", async () => {
    const strict = await read();
    await db.exec("begin; alter table a.t drop strict; alter table a.t add strict int");
    const other = await read();
    await db.exec("rollback");
    await change(strict, after);
    const { putBack } = await change(after, other);
    expect(putBack).toEqual([]);
    expect((await parked()).some(({ columns }) => columns.strict === "text")).toBe(true);
  });
});

it("a value of an enum gets a separate migration before it is used", async () => {
  const now = await read();
  await db.exec("alter type a.state add value 'shut'");
  await db.exec("alter table a.t alter s set default 'shut'");
  const used = await read();
  const { steps } = await planChange(now, used, [], "1");
  const made = await madeMigrations("merge_x", "Merge of branch x", steps, "20261129120000");
  expect(made.map(({ file, sql }) => [file, sql.includes("ADD VALUE 'shut'"), /SET DEFAULT/i.test(sql)])).toEqual([
    ["20261129120000_merge_x_1.sql", true, false],
    ["20261129120001_merge_x_2.sql", false, true],
  ]);
});

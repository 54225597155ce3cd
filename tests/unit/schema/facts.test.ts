import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareFacts } from "../../../operations/schema-facts/compare.ts";
import { factsOf, type SchemaFacts } from "../../../operations/schema-facts/read.ts";
import { parseFacts, serializeFacts } from "../../../operations/schema-facts/snapshot.ts";
import { planSteps } from "../../../operations/schema-facts/steps.ts";
import { fix } from "../../../contract/fix.ts";
import { pglitePool } from "../../support/database/pglite-pool.ts";

/** A schema with an object of each kind. */
const objects = (app: string) => `
  create schema ${app};
  create type ${app}.state as enum ('open', 'closed');
  create table ${app}.owners (id int primary key, name text not null);
  create table ${app}.pets (
    id int primary key,
    owner int not null references ${app}.owners (id),
    name text not null default 'Rex',
    age int check (age > 0),
    state ${app}.state not null default 'open'
  );
  create index pets_owner on ${app}.pets (owner);
  create view ${app}.names with (security_invoker) as select id from ${app}.pets;
  create function ${app}.touch() returns trigger language plpgsql as $$ begin return new; end $$;
  create trigger pets_touch before update on ${app}.pets for each row execute function ${app}.touch();
  alter table ${app}.pets enable row level security;
  create policy pets_read on ${app}.pets for select to reader using (true);
  grant select (name) on ${app}.pets to reader;
  comment on table ${app}.pets is 'the pets';
`;

/** Changes, and how the facts name what differs after each. `app` stands for a separate schema. */
const CHANGES: readonly (readonly [string, readonly string[]])[] = [
  ["create table app.toys (id int)", ["added table app.toys", "added column app.toys.id (table app.toys)"]],
  [
    "alter table app.pets drop column state",
    ["removed column app.pets.state", "removed default app.pets.state (column app.pets.state)"],
  ],
  ["alter table app.pets alter column name type varchar(9)", ["changed column app.pets.name"]],
  ["alter table app.pets alter column name set default 'Max'", ["changed default app.pets.name"]],
  ["alter table app.pets drop constraint pets_age_check", ["removed constraint pets_age_check on app.pets"]],
  ["drop index app.pets_owner", ["removed index app.pets_owner"]],
  ["alter policy pets_read on app.pets using (id > 0)", ["changed policy pets_read on app.pets"]],
  ["alter table app.pets force row level security", ["changed table app.pets"]],
  [
    "create or replace function app.touch() returns trigger language plpgsql as 'begin return old; end'",
    ["changed function app.touch()"],
  ],
  ["drop trigger pets_touch on app.pets", ["removed trigger pets_touch on app.pets"]],
  ["alter view app.names reset (security_invoker)", ["changed view app.names"]],
  ["grant insert on app.pets to reader", ["added grant to reader on table app.pets"]],
  ["revoke select (name) on app.pets from reader", ["removed column grant to reader on table app.pets (name)"]],
  [
    "alter default privileges in schema app grant select on tables to reader",
    ["added default privilege of postgres for reader on tables in app"],
  ],
  ["comment on table app.pets is null", ["removed comment on table app.pets"]],
  ["alter type app.state add value 'lost'", ["changed type app.state"]],
  ["alter table app.pets owner to reader", ["changed table app.pets"]],
];

describe("the facts of a schema", () => {
  let db: PGlite;
  let before: SchemaFacts;
  const schemaOf = (index: number) => `app${String(index)}_`;
  const inSchema = (text: string, index: number) => text.replaceAll(/\bapp\b/g, schemaOf(index));
  beforeAll(async () => {
    db = new PGlite();
    await db.exec(`create role reader; ${objects("app")}`);
    for (const index of CHANGES.keys()) await db.exec(objects(schemaOf(index)));
    before = await factsOf(pglitePool(db), "PGlite");
  });
  afterAll(() => db.close());

  /** The facts after changes, which are rolled back. */
  async function after(sql: string): Promise<SchemaFacts> {
    await db.exec("begin");
    try {
      await db.exec(sql);
      return await factsOf(pglitePool(db), "PGlite");
    } finally {
      await db.exec("rollback");
    }
  }

  it("name what differs, by kind and identity", async () => {
    // All at once: to read a schema takes longer than all else.
    const changes = CHANGES.map(([sql], index) => inSchema(sql, index)).join(";");
    const found = (await compareFacts(before, await after(changes)))
      .map(({ change, object, partOf }) => `${change} ${object}${partOf === undefined ? "" : ` (${partOf})`}`)
      // A new owner has the rights that the old one had.
      .filter((each) => !/grant to postgres|added grant to reader on table app16_/.test(each));
    expect(found.sort()).toEqual(
      CHANGES.flatMap(([, names], index) => names.map((name) => inSchema(name, index))).sort(),
    );
  });

  it("say what differs in an object", async () => {
    const [difference] = await compareFacts(
      before,
      await after("alter table app.pets alter column name type varchar(9)"),
    );
    expect(difference?.attributes).toEqual([{ name: "type", from: "text", to: "character varying(9)" }]);
  });

  it("survive a file", async () => {
    const read = await parseFacts(await serializeFacts(before), "base.json", fix`create it again`);
    expect(await compareFacts(before, read)).toEqual([]);
    expect(await compareFacts(await after("drop index app.pets_owner"), read)).toMatchObject([{ change: "added" }]);
  });

  it("are refused from a damaged file", async () => {
    const damaged = (await serializeFacts(before)).replace("'Rex'", "'Max'");
    await expect(parseFacts(damaged, "base.json", fix`create it again`)).rejects.toMatchObject({
      code: "invalid-file",
    });
  });

  it("are refused if an object has a kind that no comparison would see", async () => {
    const search = after("create text search configuration app.plain (copy = simple)");
    await expect(search).rejects.toThrow(/text search configuration/);
  });

  it("give the statements that make one schema the other", async () => {
    const wanted = await after("alter table app.pets drop column state; create table app.toys (id int)");
    const steps = await planSteps(before, wanted);
    expect(steps.filter(({ destructive }) => destructive).map(({ sql }) => sql)).toEqual([
      'ALTER TABLE "app"."pets" DROP COLUMN "state"',
    ]);
    expect(await compareFacts(await after(steps.map(({ sql }) => sql).join(";")), wanted)).toEqual([]);
  });
});

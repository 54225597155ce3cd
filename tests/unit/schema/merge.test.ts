import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mergeSchemas, type ThreeWayMerge } from "../../../operations/branches/merge/three-way.ts";
import { compareFacts } from "../../../operations/schema-facts/compare.ts";
import { factsOf, schemaFacts, type SchemaFacts } from "../../../operations/schema-facts/read.ts";
import { planSteps } from "../../../operations/schema-facts/steps.ts";
import { pglitePool } from "../../support/database/pglite-pool.ts";

/** What main and a branch do to the same schema, and the object that conflicts; none if both can be kept. */
type Pair = readonly [main: string, branch: string, object?: string];

const CONFLICTS: readonly Pair[] = [
  ["alter table a.t alter n type bigint", "alter table a.t alter n type numeric", "column a.t.n"],
  ["alter table a.t alter n set default 1", "alter table a.t alter n set default 2", "default a.t.n"],
  ["alter table a.t add x int", "alter table a.t add x text", "column a.t.x"],
  ["create table a.new (id int)", "create table a.new (id bigint)", "column a.new.id"],
  ["alter policy p on a.t using (id > 1)", "alter policy p on a.t using (id > 2)", "policy p on a.t"],
  [
    "create or replace function a.f() returns int language sql as 'select 1'",
    "create or replace function a.f() returns int language sql as 'select 2'",
    "function a.f()",
  ],
  [
    "create or replace view a.v as select id, n from a.t",
    "create or replace view a.v as select id, w from a.t",
    "view a.v",
  ],
  ["create index on a.t (n)", "alter table a.t drop n", "column a.t.n"],
  ["create view a.names as select n from a.t", "alter table a.t drop n", "column a.t.n"],
  ["alter table a.alone add x int", "drop table a.alone", "table a.alone"],
  ["alter table a.t drop n", "alter table a.t alter n type bigint", "column a.t.n"],
  [
    "drop table a.alone",
    "alter table a.alone enable row level security; create policy q on a.alone using (true)",
    "table a.alone",
  ],
  [
    "alter table a.t add constraint positive check (n > 0)",
    "alter table a.t add constraint positive check (n > 1)",
    "constraint positive on a.t",
  ],
  ["create index same on a.t (n)", "create index same on a.t (w)", "index a.same"],
  [
    "create trigger g before update on a.t for each row execute function a.touch()",
    "drop function a.touch()",
    "function a.touch()",
  ],
  ["create table a.uses (s a.state)", "drop type a.state", "type a.state"],
  ["alter sequence a.s increment 2", "alter sequence a.s increment 3", "sequence a.s"],
  ["comment on table a.t is 'one'", "comment on table a.t is 'two'", "comment on table a.t"],
  ["revoke all on a.t from reader", "grant update on a.t to reader", "grant to reader on table a.t"],
  [
    "alter table a.t add constraint short check (length(w) < 9)",
    "alter table a.t alter w type varchar(20)",
    "column a.t.w",
  ],
];

const HARMLESS: readonly Pair[] = [
  ["alter table a.t add x int", "alter table a.t add y text"],
  ["create index on a.t (n)", "create index on a.t (w)"],
  ["create table a.left (id int)", "create table a.right (id int)"],
  ["alter table a.t alter n set default 1", "alter table a.t alter n set not null"],
  ["alter policy p on a.t using (id > 1)", "create policy q on a.t for insert with check (true)"],
  [
    "create or replace function a.f() returns int language sql as 'select 1'",
    "create function a.g() returns int language sql as 'select 2'",
  ],
  ["create view a.one as select n from a.t", "create view a.two as select w from a.t"],
  ["alter table a.t drop n", "alter table a.t drop w"],
  ["alter table a.t drop n", "alter table a.t drop n"],
  ["alter table a.t add x int", "alter table a.t add x int"],
  ["create table a.child (id int references a.t (id))", "alter table a.t add x int"],
  ["grant insert on a.t to reader", "grant update on a.t to reader"],
  ["grant select on a.alone to reader", "revoke select on a.t from reader"],
  ["comment on table a.t is 'one'", "comment on column a.t.n is 'two'"],
  ["alter table a.t enable row level security", "alter table a.t force row level security"],
  ["drop table a.alone", "alter table a.t add constraint positive check (n > 0)"],
  [
    "create trigger g before update on a.t for each row execute function a.touch()",
    "create trigger h before insert on a.t for each row execute function a.touch()",
  ],
  ["alter sequence a.s increment 2", "alter sequence a.s maxvalue 99"],
  ["create type a.mood as enum ('good')", "drop type a.state"],
  ["alter table a.t alter n type bigint", "alter table a.t alter w type varchar(20)"],
];

const schema = (a: string) => `
  create schema ${a};
  create type ${a}.state as enum ('open');
  create table ${a}.t (id int primary key, n int, w text);
  create table ${a}.alone (id int);
  create sequence ${a}.s;
  create view ${a}.v as select id from ${a}.t;
  create function ${a}.f() returns int language sql as 'select 0';
  create function ${a}.touch() returns trigger language plpgsql as 'begin return new; end';
  create policy p on ${a}.t using (true);
  grant select on ${a}.t to reader;
`;

/** Each pair in a separate schema: to read a schema takes longer than all else. */
const named = (sql: string, prefix: string, index: number) => sql.replaceAll(/\ba\./g, `${prefix}${String(index)}.`);

describe.each([
  ["conflicts", "c", CONFLICTS],
  ["harmless", "h", HARMLESS],
] as const)("pairs of changes: %s", (_, prefix, pairs) => {
  let db: PGlite;
  let base: SchemaFacts;
  let main: SchemaFacts;
  let branch: SchemaFacts;
  let merge: ThreeWayMerge;
  const run = (of: (pair: Pair) => string) => pairs.map((pair, index) => named(of(pair), prefix, index)).join(";");
  const read = async (sql: string) => {
    await db.exec(`begin; ${sql}`);
    const facts = await factsOf(pglitePool(db), "PGlite");
    await db.exec("rollback");
    return facts;
  };
  beforeAll(async () => {
    db = new PGlite();
    await db.exec("create role reader");
    for (const index of pairs.keys()) await db.exec(schema(`${prefix}${String(index)}`));
    base = await read("select 1");
    main = await read(run(([ours]) => ours));
    branch = await read(run(([, theirs]) => theirs));
    merge = await mergeSchemas(base, main, branch);
  });
  afterAll(() => db.close());

  it("name exactly the objects that conflict", () => {
    const expected = pairs.flatMap(([, , object], index) =>
      object === undefined ? [] : [named(object, prefix, index)],
    );
    expect(merge.conflicts.map(({ object }) => object).sort()).toEqual(expected.sort());
  });

  it("give the same schema in both orders, if both can be kept", async () => {
    if (merge.conflicts.length > 0) {
      // With each conflict resolved for the branch, its version is the one that stays.
      const taken = await mergeSchemas(
        base,
        main,
        branch,
        new Map(merge.conflicts.map(({ object }) => [object, "branch"])),
      );
      expect(taken).toMatchObject({ conflicts: [], unused: [] });
      return;
    }
    const merged = await schemaFacts(merge.merged, main.serverVersion);
    for (const [first, start] of [
      [main, 0],
      [branch, 1],
    ] as const) {
      const steps = await planSteps(first, merged);
      const reached = await read(`${run((pair) => pair[start])}; ${steps.map(({ sql }) => sql).join(";")}`);
      expect(await compareFacts(reached, merged)).toEqual([]);
    }
  });
});

import { describe, expect, it } from "vitest";
import { apply } from "../../policies/database/apply.ts";
import { openPglite } from "../../policies/database/postgres.ts";

/** What becomes of files, and the names of the tables that exist then. */
async function applied(...texts: readonly string[]) {
  const postgres = await openPglite([]);
  try {
    const files = texts.map((text, index) => ({ file: `${index + 1}.sql`, text }));
    const { statements, at } = await apply(postgres, files);
    const rows = await postgres.run(
      "select relname as name, xmin::text as xmin from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1",
    );
    const errors = statements.flatMap(({ source, error }) =>
      error === undefined ? [] : [`${source.file}:${source.line} ${error}`],
    );
    return { statements, errors, tables: rows.map((row) => `${String(row.name)} ${at(String(row.xmin))?.line}`) };
  } finally {
    await postgres.close();
  }
}

describe("files that are applied as the Supabase CLI applies them", () => {
  it("are one transaction, with the line of each statement", async () => {
    const { errors, tables, statements } = await applied(
      "create table a (id int);\ncreate table old (id int);",
      "set local lock_timeout = '5s';\nalter table a add b int;\ncreate temporary table t on commit drop as select 1;\ncreate table c as\nselect * from t;\ndo $$ begin begin create table d (id int); exception when others then null; end; end $$;",
      "alter table a add d int;",
    );
    expect(errors).toEqual([]);
    expect(tables).toEqual(["a 1", "c 4", "d 6", "old 2"]);
    expect(statements.filter(({ locks }) => locks.length > 0).map(({ lockTimeout }) => lockTimeout)).toEqual([
      true,
      false,
    ]);
  });

  it("keep the transactions that they begin and end themselves", async () => {
    const { errors, tables } = await applied(
      "begin;\ncreate table kept (id int);\ncommit;\nbegin;\ncreate table gone (id int);\nrollback;",
      "begin;\ncreate table lost (id int);",
    );
    expect(tables).toEqual(["kept 2"]);
    expect(errors).toEqual([expect.stringMatching(/^2.sql:2 .*inside of a transaction/)]);
  });

  it("leave the transaction for what cannot run in one, if it comes first", async () => {
    const first =
      "create table p (at int) partition by range (at);\ncreate table p1 partition of p for values from (1) to (2);";
    const detach = "alter table p detach partition p1 concurrently;";
    expect((await applied(first, detach)).errors).toEqual([]);
    expect((await applied(first, `select 1;\n${detach}`)).errors).toEqual([
      expect.stringMatching(/^2.sql:2 .*cannot run inside a transaction block/),
    ]);
  });

  it("leave out what PostgreSQL rejects, and keep the rest", async () => {
    const { errors, tables } = await applied(
      "create type mood as enum ('sad');",
      "create table a (id int);\nalter type mood add value 'glad';\ncreate table b (m mood default 'glad');\nselect nothing();\n select 1 1 1;\ncreate table c (id int);",
    );
    expect(tables).toEqual(["a 1", "c 6"]);
    expect(errors).toEqual([
      expect.stringMatching(/^2.sql:3 .*unsafe use of new value/),
      expect.stringMatching(/^2.sql:4 .*does not exist/),
      expect.stringMatching(/^2.sql:5 .*syntax error/),
    ]);
  });
});

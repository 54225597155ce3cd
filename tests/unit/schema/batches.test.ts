import { describe, expect, it } from "vitest";
import { batchesOf } from "../../../contract/sql/batches.ts";
import { splitStatements } from "../../../contract/sql/split.ts";

const texts = (sql: string) => splitStatements(sql).map(({ text }) => text);
const modes = (sql: string) => batchesOf(sql).map(({ mode, statements }) => `${mode} ${statements.length}`);

describe("a file as the Supabase CLI splits it", () => {
  it.each([
    ["select 1; select 2;;", ["select 1", "select 2"]],
    ["select ';' as \"a;b\", 'it''s;'; select 2", ["select ';' as \"a;b\", 'it''s;'", "select 2"]],
    ["do $a$ begin; $b$;$b$ end $a$; select 1", ["do $a$ begin; $b$;$b$ end $a$", "select 1"]],
    ["select 1 -- one; two\n; select 2", ["select 1 -- one; two", "select 2"]],
    ["/* a; /* b; */ c; */ select 1; select 2", ["/* a; /* b; */ c; */ select 1", "select 2"]],
    [
      "create rule r as on insert to t do also (select 1; select 2); select 3",
      ["create rule r as on insert to t do also (select 1; select 2)", "select 3"],
    ],
    [
      "create function f() begin atomic select 1; end; select 2",
      ["create function f() begin atomic select 1; end", "select 2"],
    ],
    // The CLI ends the body at the first END, which is that of CASE.
    [
      "create function f() begin atomic select case when true then 1 end; select 2; end",
      ["create function f() begin atomic select case when true then 1 end", "select 2", "end"],
    ],
  ])("%s", (sql, expected) => {
    expect(texts(sql)).toEqual(expected);
  });

  it("has the lines of the file", () => {
    const lines = splitStatements("\n\nselect 1;\n\n  select\n2;\r\nselect 3;").map(({ line }) => line);
    expect(lines).toEqual([3, 5, 7]);
  });
});

describe("the transactions of a file", () => {
  it.each([
    ["select 1; select 2", ["transaction 2"]],
    [
      "select 1; create index concurrently i on t (a); vacuum t; select 2",
      ["transaction 1", "alone 1", "alone 1", "transaction 1"],
    ],
    ["-- a\nBEGIN; select 1; commit", ["session 3"]],
    ["select 1; rollback to a", ["transaction 2"]],
    ["-- pg-delta: transaction=false\r\nselect 1; select 2", ["session 2"]],
    ["begin_all(); select 1", ["transaction 2"]],
    ["", []],
  ])("%s", (sql, expected) => {
    expect(modes(sql)).toEqual(expected);
  });
});

import { describe, expect, it } from "vitest";
import { isEdited } from "../../../operations/migrations/edited.ts";
import { cutoverSchema } from "../../../operations/schema/decide.ts";
import { orderRefusal } from "../../../operations/schema/order.ts";
import { schemaError } from "../../../operations/schema/refusal.ts";
import type { SchemaMigration, SchemaState } from "../../../operations/schema/state.ts";

const FILE = "-- About.\ncreate table a (b text default ';');\n\ncreate index c on a (b);\n-- End.\n";
const RECORDED = ["-- About.\ncreate table a (b text default ';')", "create index c on a (b)"];

describe("a file whose migration was applied", () => {
  it.each([
    ["verbatim", FILE],
    ["with other line ends", FILE.replaceAll("\n", "\r\n")],
    ["with other space between the statements", FILE.replace("\n\ncreate", "\n\n\n\n  create")],
    ["without its last semicolon", FILE.replace("(b);\n-- End.\n", "(b)")],
    ["with another comment at its end", FILE.replace("-- End.", "/* the end; of ** it */")],
  ])("is unchanged: %s", (_, sql) => {
    expect(isEdited(sql, RECORDED)).toBe(false);
  });

  it.each([
    ["another statement", FILE.replace("(b);", "(b, a);")],
    ["a statement that is new at its end", `${FILE}drop table a;\n`],
    ["a statement that is new at its beginning", `drop table a;\n${FILE}`],
    ["a statement less", FILE.replace("create index c on a (b);", "")],
    ["another text in quotes", FILE.replace("';'", "'; '")],
    ["nothing", ""],
  ])("is changed: %s", (_, sql) => {
    expect(isEdited(sql, RECORDED)).toBe(true);
  });

  it.each([[null], [[]]])("is not compared without a record: %j", (recorded) => {
    expect(isEdited("anything", recorded)).toBe(false);
  });
});

const migration = (day: number): SchemaMigration => ({
  version: `202601${String(day).padStart(2, "0")}000000`,
  name: `day_${String(day)}`,
  kind: "expand",
});

describe("the order of migrations", () => {
  const state = (applied: number[], pending: number[], edited: number[] = []): SchemaState => ({
    applied: applied.map(migration),
    pending: pending.map(migration),
    edited: edited.map(migration),
  });

  it.each([
    ["nothing is pending", state([1, 2], [], [1])],
    ["the pending ones are newer", state([1, 2], [3, 4])],
    ["nothing is applied", state([], [1, 2])],
    ["the database is ahead of the files, which is refused for itself", { ...state([1, 9], [2]), ahead: true }],
  ])("is kept: %s", (_, given) => {
    expect(orderRefusal(given)).toBeUndefined();
  });

  it("is not kept by a pending one that is older than the newest applied one", () => {
    expect(orderRefusal(state([1, 4], [2, 3, 5]))).toEqual({
      reason: "out-of-order",
      migrations: [migration(2), migration(3)],
      newest: migration(4).version,
    });
  });

  it("is not kept by a changed file, which counts first", () => {
    expect(orderRefusal(state([1, 4], [2], [1]))).toEqual({ reason: "migration-edited", migrations: [migration(1)] });
  });

  it.each([state([1, 4], [2]), state([1, 4], [5], [1])])("refuses a cutover before it changes anything", (given) => {
    const { verdict } = cutoverSchema(given, { slot: "green", image: "a:1", range: undefined }, "warn");
    if (verdict.allowed) throw new Error("it was allowed");
    const error = schemaError(verdict.refusal);
    expect(error.exitCode).toBe(3);
    expect(error.render()).toMatch(/exai migrate apply --out-of-order|npx supabase migration repair/);
  });
});

import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Deleting a parent does not scan its children. */
export const foreignKeys = databaseRule(
  {
    name: "foreign-key-indexes",
    title: "Foreign keys have an index",
    level: "advisory",
    documentation:
      "Without an index on the referencing columns, each delete of a parent row and each join on the key reads the whole table.",
    references: splinter("0001 unindexed_foreign_keys"),
    notApplicable: () => "the migrations create no foreign keys",
  },
  function* (database) {
    for (const key of database.foreignKeys)
      yield about(
        key,
        key.indexed,
        `${key.name} of ${key.table} has no index`,
        `create an index on the columns of ${key.name}`,
        `${key.table} ${key.name}`,
      );
  },
);

import { basename } from "node:path";
import { migrationKind } from "../../../contract/sql/migration.ts";
import { about, databaseRule } from "../../model/database-rule.ts";

/** Nothing is removed that a running release may read. */
export const destructive = databaseRule(
  {
    name: "migration-destructive",
    title: "What an earlier migration made is removed by a contract migration only",
    level: "advisory",
    levelIn: { prod: "mandatory" },
    documentation:
      "While two slots run, the old one reads the old schema. Tables, columns and types of earlier files are compared before and after each statement; TRUNCATE, and DELETE without WHERE, count too. A file with the word `contract` in its name (`…_contract_drop_title.sql`) says that no release needs them any more.",
    references: [{ standard: "squawk", item: "ban-drop-column, ban-drop-table, changing-column-type" }],
  },
  function* (database) {
    for (const statement of database.statements)
      yield about(
        { name: statement.text.slice(0, 60), source: statement.source },
        statement.removed.length === 0 || migrationKind(basename(statement.source.file)) === "contract",
        `it removes ${statement.removed.join(", ")}`,
        "move it to a later file with the word contract in its name",
      );
  },
);

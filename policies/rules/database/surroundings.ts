import { about, databaseRule } from "../../model/database-rule.ts";

/** Migrations do the same everywhere. */
export const surroundings = databaseRule(
  {
    name: "migration-surroundings",
    title: "What a migration does on another server is known",
    level: "mandatory",
    documentation:
      "A DO block whose IF asks for the version, the time, the role, a setting or an extension is run with both answers, and one that asks whether an object exists also as if it did. All rules about rights judge both databases. An answer that cannot be tried is a finding, and so is a question outside of the condition of an IF. The active jobs of pg_cron run once after all files, and what they do is judged like the rest; one that fails is a finding.",
    references: [{ standard: "PostgreSQL manual", item: "DO" }],
  },
  function* (database) {
    for (const statement of database.statements)
      yield about({ name: statement.text.slice(0, 60), source: statement.source }, true, "", "");
    for (const { source, text, error, fix } of database.untried)
      yield about(
        { name: `${source.file}:${source.line}`, source },
        false,
        `what it does elsewhere is not known: ${text} (${error})`,
        fix ??
          "write the statements without the condition, or set EXAI_POSTGRES_URL to a server on which both answers can be tried",
      );
  },
);

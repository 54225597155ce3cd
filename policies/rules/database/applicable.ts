import { about, databaseRule } from "../../model/database-rule.ts";

/** The migrations can be applied. */
export const applicable = databaseRule(
  {
    name: "migration-applies",
    title: "The Supabase CLI applies every file, and PostgreSQL accepts every statement",
    level: "mandatory",
    documentation:
      "The files are applied as the Supabase CLI applies them: in the order of their versions as text, split by its tokenizer, each file in one transaction except for what the CLI runs outside of it (`create index concurrently`, `vacuum`, a file with its own `begin` and `commit`). A file that the CLI skips or misreads is a finding, and so is a statement that is not accepted. The other rules judge the database without it. PGlite, which is used without `EXAI_POSTGRES_URL`, has the contrib modules of PostgreSQL; `vector`, `pg_cron`, `pg_net`, `pg_graphql`, `pg_jsonschema`, `pgjwt`, `pgmq`, `pgsodium`, `postgis`, `http` and `supabase_vault` have the shape of the real ones there, those that only measure, test or advise (`hypopg`, `index_advisor`, `pgtap`, `pg_stat_monitor`, `plpgsql_check`, `pgaudit`, `pg_repack` and others) are empty, and other extensions are missing.",
    references: [{ standard: "Supabase CLI", item: "db push" }],
  },
  function* (database) {
    for (const { file, message, fix } of database.problems)
      yield about({ name: file, source: { file, line: 1 } }, false, message, fix);
    for (const statement of database.statements)
      yield about(
        { name: statement.text.slice(0, 60), source: statement.source },
        statement.error === undefined,
        `${database.server} does not accept it: ${statement.error ?? ""}`,
        fixOf(database.server, statement.error ?? ""),
      );
  },
);

function fixOf(server: string, error: string): string {
  return server.startsWith("PGlite") && /^extension "[^"]+" is not available/.test(error)
    ? "set EXAI_POSTGRES_URL to a superuser's URL of a PostgreSQL server that has the extension"
    : "correct the statement";
}

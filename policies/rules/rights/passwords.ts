import { decodedTexts } from "../../../contract/secrets/decoded.ts";
import { credentialShape } from "../../../contract/secrets/shapes.ts";
import { about, databaseRule, statementsOfMigrations } from "../../model/database-rule.ts";
import { judgeAt } from "../../model/rule.ts";
import type { Statement } from "../../database/facts.ts";

const FIX =
  "remove it, replace the secret, which is in the history of the repository, and set the new one in the database";

/** Passwords and keys are set in the database. */
export const passwords = databaseRule(
  {
    name: "role-passwords",
    title: "No migration has a password or a key",
    level: "mandatory",
    documentation:
      "A password in `create role`, `alter role` or `create user mapping` is in the repository, and in the history table of the database; so is a key in `vault.create_secret`, a token in the headers of a webhook, or the password of an account of `auth.users`. Texts of statements and of functions are searched for the formats of tokens and keys, encoded ones included. Accounts of `[db.seed]` are for tests and may have a password.",
    references: [{ standard: "CIS PostgreSQL", item: "5 Connection and Login" }],
  },
  function* (database) {
    yield judgeAt({ object: "database", path: "" }, true, "", "");
    for (const opening of database.openings)
      if (opening.kind === "password") yield about(opening, false, opening.message, opening.fix);
    const migrations = new Set(statementsOfMigrations(database));
    for (const statement of database.statements) {
      const found = credentialOf(statement, migrations.has(statement));
      if (found === undefined) continue;
      const name = statement.text.slice(0, 60).replaceAll(/'[^']*'?|\$\w*\$.*/gs, "'…'");
      yield about({ name, source: statement.source }, false, `it has ${found}, which the repository then has too`, FIX);
    }
  },
);

function credentialOf({ text }: Statement, isMigration: boolean): string | undefined {
  for (const decoded of decodedTexts(text)) {
    const shape = credentialShape(decoded);
    if (shape !== undefined && (isMigration || shape !== "a hash of a password")) return shape;
  }
  const account =
    /^\s*(?:insert into|update)\s+"?auth"?\s*\.\s*"?users\b[^]*\bencrypted_password\b[^]*\bcrypt\s*\(\s*'/i;
  return isMigration && account.test(text) ? "the password of an account" : undefined;
}

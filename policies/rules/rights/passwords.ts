import { openingRule } from "../../model/database-rule.ts";

/** Passwords are set in the database. */
export const passwords = openingRule("password", {
  name: "role-passwords",
  title: "No migration has a password",
  level: "mandatory",
  documentation:
    "A password in `create role`, `alter role` or `create user mapping` is in the repository, and in the history table of the database.",
  references: [{ standard: "CIS PostgreSQL", item: "5 Connection and Login" }],
});

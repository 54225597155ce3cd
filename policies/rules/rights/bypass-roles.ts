import { databaseRule } from "../../model/database-rule.ts";
import { judgeAt } from "../../model/rule.ts";

/** Membership does not bypass the policies. */
export const bypassRoles = databaseRule(
  {
    name: "roles-no-bypass",
    title: "No API role and no role of the migrations bypasses row-level security, itself or by membership",
    level: "mandatory",
    documentation:
      "A member of a role can assume it. The rule follows memberships of any depth to superusers, to roles with BYPASSRLS, CREATEROLE or REPLICATION, and to the roles that read and write files and run programs of the server. A role that a request can get must not log in either, nor be a member of `pg_read_all_data` and the like, or of a role of Supabase that owns its objects.",
    references: [{ standard: "PostgreSQL manual", item: "21.3 Role Membership" }],
  },
  function* (database) {
    if (database.memberships.length === 0) yield judgeAt({ object: "roles", path: "" }, true, "", "");
    for (const { role, path, power } of database.memberships) {
      const [, next] = path;
      const what = power === path.at(-1) || power.startsWith("pg_") ? `the privileges of ${power}` : power;
      yield judgeAt(
        { object: `role ${role}`, path: "" },
        false,
        `${path.join(" is a member of ")}${next === undefined ? "" : ", which"} has ${what}`,
        next === undefined ? `alter role ${role} no${power};` : `revoke ${next} from ${role};`,
      );
    }
  },
);

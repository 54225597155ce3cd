import { databaseRule } from "../../model/database-rule.ts";
import { judgeAt } from "../../model/rule.ts";

/** Membership does not bypass the policies. */
export const bypassRoles = databaseRule(
  {
    name: "roles-no-bypass",
    title: "No API role and no role of the migrations is a member of a role that bypasses row-level security",
    level: "mandatory",
    documentation:
      "A member of a role can assume it. The rule follows memberships of any depth to superusers and to roles with BYPASSRLS or CREATEROLE.",
    references: [{ standard: "PostgreSQL manual", item: "21.3 Role Membership" }],
  },
  function* (database) {
    if (database.memberships.length === 0) yield judgeAt({ object: "roles", path: "" }, true, "", "");
    for (const membership of database.memberships)
      yield judgeAt(
        { object: `role ${membership.role}`, path: "" },
        false,
        `${membership.path.join(" is a member of ")} has ${membership.power}`,
        `revoke ${membership.path[1] ?? "it"} from ${membership.role};`,
      );
  },
);

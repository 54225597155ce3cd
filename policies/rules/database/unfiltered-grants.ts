import { about, databaseRule } from "../../model/database-rule.ts";

/** Privileges to which no policy applies. */
const UNFILTERED = ["truncate", "references", "trigger", "maintain"];

/** API roles have no privilege that bypasses row-level security. */
export const unfilteredGrants = databaseRule(
  {
    name: "grants-unfiltered",
    title: "API roles have no TRUNCATE, REFERENCES, TRIGGER or MAINTAIN",
    level: "mandatory",
    documentation:
      "Policies do not apply to these privileges: TRUNCATE deletes the rows of all users, REFERENCES reveals which keys exist, and TRIGGER runs code as the next user who writes.",
    references: [{ standard: "PostgreSQL manual", item: "5.9 Row Security Policies" }],
  },
  function* (database) {
    for (const grant of database.grants) {
      const held = ["public", ...database.apiRoles].includes(grant.role)
        ? grant.privileges.filter((privilege) => UNFILTERED.includes(privilege.split(" ")[0] ?? ""))
        : [];
      yield about(
        grant,
        held.length === 0,
        `${grant.role} has ${held.join(", ")} on ${grant.name}, to which no policy applies`,
        `revoke ${held.join(", ")} on ${grant.name} from ${grant.role};`,
        `${grant.name} to ${grant.role}`,
      );
    }
  },
);

import { about, databaseRule } from "../../model/database-rule.ts";

/** Privileges that no policy filters. */
const UNFILTERED = ["truncate", "references", "trigger", "maintain"];

/** No privilege that row-level security does not see. */
export const unfilteredGrants = databaseRule(
  {
    name: "grants-unfiltered",
    title: "API roles have no TRUNCATE, REFERENCES, TRIGGER or MAINTAIN",
    level: "mandatory",
    documentation:
      "Policies do not apply to them: TRUNCATE empties the table of everybody, REFERENCES tells which keys exist, TRIGGER runs code as whoever writes next.",
    references: [{ standard: "PostgreSQL manual", item: "5.9 Row Security Policies" }],
  },
  function* (database) {
    for (const grant of database.grants) {
      const held = ["anon", "authenticated", "public"].includes(grant.role)
        ? grant.privileges.filter((privilege) => UNFILTERED.includes(privilege.split(" ")[0] ?? ""))
        : [];
      yield about(
        grant,
        held.length === 0,
        `${grant.role} has ${held.join(", ")} on ${grant.name}, which no policy filters`,
        `revoke ${held.join(", ")} on ${grant.name} from ${grant.role};`,
        `${grant.name} to ${grant.role}`,
      );
    }
  },
);

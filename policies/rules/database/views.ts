import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Views do not bypass the policies. */
export const views = databaseRule(
  {
    name: "rls-views",
    title: "Views use the privileges of their reader, and no API role can read a materialized view",
    level: "mandatory",
    documentation:
      "A view without `security_invoker` reads with the privileges of its owner and bypasses the policies that apply to the reader. A materialized view cannot have policies.",
    references: splinter("0010 security_definer_view", "0016 materialized_view_in_api"),
    notApplicable: () => "the migrations create no views",
  },
  function* (database) {
    for (const view of database.views)
      yield view.kind === "view"
        ? about(
            view,
            view.invoker,
            `view ${view.name} reads with the privileges of its owner`,
            `alter view ${view.name} set (security_invoker = true);`,
          )
        : about(
            view,
            view.readers.length === 0,
            `materialized view ${view.name} can be read by ${view.readers.join(", ")}`,
            `revoke select on ${view.name} from ${view.readers.join(", ")};`,
          );
  },
);

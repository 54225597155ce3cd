import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** No view around the policies. */
export const views = databaseRule(
  {
    name: "rls-views",
    title: "Views ask as their reader, and no API role reads a materialized view",
    level: "mandatory",
    documentation:
      "A view without `security_invoker` reads with the rights of its owner, past every policy of the reader. A materialized view has no policies at all.",
    references: splinter("0010 security_definer_view", "0016 materialized_view_in_api"),
    notApplicable: () => "the migrations make no views",
  },
  function* (database) {
    for (const view of database.views)
      yield view.kind === "view"
        ? about(
            view,
            view.invoker,
            `view ${view.name} reads with its owner's rights`,
            `alter view ${view.name} set (security_invoker = true);`,
          )
        : about(
            view,
            view.readers.length === 0,
            `materialized view ${view.name} is read by ${view.readers.join(", ")}`,
            `revoke select on ${view.name} from ${view.readers.join(", ")};`,
          );
  },
);

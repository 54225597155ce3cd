import { UserError } from "../contract/errors.ts";
import { cluster } from "./kubernetes.ts";
import type { Records } from "./records.ts";
import type { Settings } from "./settings.ts";

/**
 * Staging: the same as prod, smaller, on a branch of the Supabase project.
 *
 * @throws UserError if the project is not named that the branch belongs to
 */
export function staging(settings: Settings, records: Records): Record<string, unknown> {
  const { supabaseProjectRef: parentRef, supabaseBranch, supabaseRegion, stack } = settings;
  if (parentRef === undefined)
    throw new UserError(
      "invalid-setting",
      "exai:supabaseProjectRef",
      "is not set, and staging runs on a branch of that project",
      `pulumi config set --stack ${stack} exai:supabaseProjectRef <reference of the production project>`,
    );
  return cluster(settings, records, {
    database: () => ({ kind: "branch", parentRef, gitBranch: supabaseBranch ?? stack, region: supabaseRegion ?? "" }),
  });
}

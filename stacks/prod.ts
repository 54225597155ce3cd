import { UserError } from "../contract/errors.ts";
import { cluster } from "./kubernetes.ts";
import type { Records } from "./records.ts";
import type { Settings } from "./settings.ts";

/**
 * Prod: on the given Supabase project, or on one that the stack makes.
 *
 * @throws UserError if there is neither a project nor an organization to make one in
 */
export function prod(settings: Settings, records: Records): Record<string, unknown> {
  const { supabaseProjectRef: ref, supabaseOrganization: organization, supabaseDatabasePassword, stack } = settings;
  if (ref === undefined && organization === undefined)
    throw new UserError(
      "invalid-setting",
      "exai:supabaseProjectRef",
      "is not set, and there is no exai:supabaseOrganization to make a project in",
      `pulumi config set --stack ${stack} exai:supabaseProjectRef <reference>`,
    );
  return cluster(settings, records, {
    database: (password) =>
      ref === undefined
        ? {
            kind: "new",
            project: {
              organization: organization ?? "",
              name: settings.instance,
              region: settings.supabaseRegion ?? "",
              instanceSize: settings.supabaseInstanceSize ?? "small",
            },
            password: supabaseDatabasePassword ?? password(),
          }
        : { kind: "existing", ref, password: supabaseDatabasePassword },
  });
}

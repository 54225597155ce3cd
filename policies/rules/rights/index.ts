import type { Rule } from "../../model/rule.ts";
import { bypassRoles } from "./bypass-roles.ts";
import { claimWriters } from "./claims.ts";
import { defaultPrivileges } from "./default-privileges.ts";
import { definerFunctions } from "./definer-functions.ts";
import { eventTriggers } from "./event-triggers.ts";
import { owners } from "./owners.ts";
import { passwords } from "./passwords.ts";
import { publicFunctions } from "./public-functions.ts";
import { publications } from "./publications.ts";
import { rewriteRules } from "./rewrite-rules.ts";
import { roleSettings } from "./role-settings.ts";
import { searchPaths } from "./search-paths.ts";
import { definerTriggers } from "./triggers.ts";

/** Rules about what acts with other rights than the caller's, in the database after all migrations. In the order of reports. */
export const RIGHTS_RULES: readonly Rule[] = [
  definerFunctions,
  definerTriggers,
  rewriteRules,
  claimWriters,
  searchPaths,
  publicFunctions,
  bypassRoles,
  owners,
  passwords,
  roleSettings,
  defaultPrivileges,
  publications,
  eventTriggers,
];

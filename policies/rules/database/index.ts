import type { Rule } from "../../model/rule.ts";
import { anonGrants } from "./anon-grants.ts";
import { applicable } from "./applicable.ts";
import { boundPolicies } from "./bound-policies.ts";
import { bypassRoles } from "./bypass-roles.ts";
import { claimWriters } from "./claims.ts";
import { defaultPrivileges } from "./default-privileges.ts";
import { definerFunctions } from "./definer-functions.ts";
import { destructive } from "./destructive.ts";
import { eventTriggers } from "./event-triggers.ts";
import { foreignKeys } from "./foreign-keys.ts";
import { isolation } from "./isolation.ts";
import { judgesAgree } from "./judges-agree.ts";
import { migrationLocks } from "./migration-locks.ts";
import { owners } from "./owners.ts";
import { passwords } from "./passwords.ts";
import { perRowCalls } from "./per-row-calls.ts";
import { tablesWithPolicies } from "./policies-exist.ts";
import { policyIndexes } from "./policy-indexes.ts";
import { provedPolicies } from "./proved-policies.ts";
import { publicFunctions } from "./public-functions.ts";
import { publications } from "./publications.ts";
import { rewriteRules } from "./rewrite-rules.ts";
import { roleSettings } from "./role-settings.ts";
import { rowSecurityForced } from "./row-security-forced.ts";
import { rowSecurity } from "./row-security.ts";
import { searchPaths } from "./search-paths.ts";
import { supabaseObjects } from "./supabase-objects.ts";
import { definerTriggers } from "./triggers.ts";
import { surroundings } from "./surroundings.ts";
import { unfilteredGrants } from "./unfiltered-grants.ts";
import { userClaims } from "./user-claims.ts";
import { views } from "./views.ts";
import { writeChecks } from "./write-checks.ts";

/** Rules about the database after all migrations. In the order of reports. */
export const DATABASE_RULES: readonly Rule[] = [
  rowSecurity,
  rowSecurityForced,
  provedPolicies,
  boundPolicies,
  isolation,
  judgesAgree,
  writeChecks,
  userClaims,
  views,
  definerFunctions,
  definerTriggers,
  rewriteRules,
  claimWriters,
  supabaseObjects,
  searchPaths,
  publicFunctions,
  anonGrants,
  unfilteredGrants,
  bypassRoles,
  owners,
  passwords,
  roleSettings,
  defaultPrivileges,
  publications,
  eventTriggers,
  tablesWithPolicies,
  policyIndexes,
  perRowCalls,
  foreignKeys,
  applicable,
  surroundings,
  migrationLocks,
  destructive,
];

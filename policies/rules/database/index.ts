import type { Rule } from "../../model/rule.ts";
import { anonGrants } from "./anon-grants.ts";
import { applicable } from "./applicable.ts";
import { boundPolicies } from "./bound-policies.ts";
import { destructive } from "./destructive.ts";
import { foreignKeys } from "./foreign-keys.ts";
import { isolation } from "./isolation.ts";
import { judgesAgree } from "./judges-agree.ts";
import { migrationLocks } from "./migration-locks.ts";
import { ownerConstraints } from "./owner-constraints.ts";
import { perRowCalls } from "./per-row-calls.ts";
import { tablesWithPolicies } from "./policies-exist.ts";
import { policyIndexes } from "./policy-indexes.ts";
import { provedPolicies } from "./proved-policies.ts";
import { publicBuckets } from "./public-buckets.ts";
import { rowSecurityForced } from "./row-security-forced.ts";
import { rowSecurity } from "./row-security.ts";
import { supabaseConfig } from "./supabase-config.ts";
import { supabaseObjects } from "./supabase-objects.ts";
import { surroundings } from "./surroundings.ts";
import { unfilteredGrants } from "./unfiltered-grants.ts";
import { userClaims } from "./user-claims.ts";
import { views } from "./views.ts";
import { writeChecks } from "./write-checks.ts";

/** Rules about rows and migrations, in the database after all migrations. In the order of reports. */
export const DATABASE_RULES: readonly Rule[] = [
  rowSecurity,
  rowSecurityForced,
  provedPolicies,
  boundPolicies,
  isolation,
  judgesAgree,
  writeChecks,
  ownerConstraints,
  userClaims,
  views,
  supabaseObjects,
  publicBuckets,
  supabaseConfig,
  anonGrants,
  unfilteredGrants,
  tablesWithPolicies,
  policyIndexes,
  perRowCalls,
  foreignKeys,
  applicable,
  surroundings,
  migrationLocks,
  destructive,
];

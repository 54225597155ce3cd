import type { Results, Views } from "../results.ts";
import { formatApiKeyCreate, formatApiKeyList, formatApiKeyRevoke } from "./api-key.ts";
import { formatBackupList, formatBackupNow, formatBackupVerify } from "./backup.ts";
import {
  formatBranchCreate,
  formatBranchDelete,
  formatBranchDiff,
  formatBranchList,
  formatBranchStatus,
} from "./branch/branch.ts";
import { formatBranchMerge, formatBranchRevert } from "./branch/merge.ts";
import { formatBranchRecord } from "./branch/record.ts";
import { formatBranchShadow } from "./branch/shadow.ts";
import type { Block, Formatter, ViewFormatter } from "./block.ts";
import { formatCutoverPlan } from "./rollout/plan.ts";
import { formatDrill } from "./drill.ts";
import { formatDoctor } from "./doctor.ts";
import { formatRolloutHistory } from "./rollout/history.ts";
import { formatImageBuild } from "./image.ts";
import { formatMigrateReconcile, formatMigrateVerify } from "./migrate/ledger.ts";
import { formatMigrateLint } from "./migrate/lint.ts";
import { formatLog } from "./log.ts";
import { formatMigrateApply, formatMigratePlan, formatMigrateTest } from "./migrate/migrate.ts";
import { formatAudit, formatPlan } from "./plan/plan.ts";
import { formatPreview } from "./plan/preview.ts";
import { formatDown, formatEnvironment, formatStatus, formatSynth, formatUp } from "./stack.ts";
import { formatRolloutChange } from "./rollout/change.ts";
import { formatInPlace, formatRestoreAbort } from "./restore-in-place.ts";
import { formatRestore, formatRestoreDrop, formatRestoreList, formatRestorePromote } from "./restore.ts";
import { formatReleases } from "./rollout/releases.ts";
import { formatSecretsRotate, formatSecretsStatus } from "./secrets.ts";
import { formatTesterLink } from "./rollout/tester-link.ts";
import { formatRolloutStatus, formatWatchResult, ROLLOUT_VIEW } from "./rollout/status.ts";
import { formatTest } from "./test.ts";
import { formatVersion } from "./version.ts";

/** How the result of each verb is shown to people. */
export const FORMATTERS: { readonly [Verb in keyof Results]: Formatter<Results[Verb]> } = {
  up: formatUp,
  preview: formatPreview,
  down: formatDown,
  status: formatStatus,
  env: formatEnvironment,
  synth: formatSynth,
  plan: formatPlan,
  audit: formatAudit,
  cutover: formatRolloutChange,
  rollback: formatRolloutChange,
  releases: formatReleases,
  log: formatLog,
  "rollout plan": formatCutoverPlan,
  "rollout status": formatRolloutStatus,
  "rollout status --watch": formatWatchResult,
  "rollout history": formatRolloutHistory,
  "rollout pause": formatRolloutChange,
  "rollout resume": formatRolloutChange,
  "rollout promote": formatRolloutChange,
  "rollout abort": formatRolloutChange,
  "rollout tester-link": formatTesterLink,
  "rollout finish": formatRolloutChange,
  "secrets rotate": formatSecretsRotate,
  "secrets status": formatSecretsStatus,
  "migrate plan": formatMigratePlan,
  "migrate apply": formatMigrateApply,
  "migrate test": formatMigrateTest,
  "migrate verify": formatMigrateVerify,
  "migrate lint": formatMigrateLint,
  "migrate reconcile": formatMigrateReconcile,
  "backup now": formatBackupNow,
  "backup list": formatBackupList,
  "branch create": formatBranchCreate,
  "branch list": formatBranchList,
  "branch status": formatBranchStatus,
  "branch diff": formatBranchDiff,
  "branch merge": formatBranchMerge,
  "branch revert": formatBranchRevert,
  "api-key create": formatApiKeyCreate,
  "api-key list": formatApiKeyList,
  "api-key revoke": formatApiKeyRevoke,
  "branch record": formatBranchRecord,
  "branch shadow": formatBranchShadow,
  "branch test": formatMigrateTest,
  "branch reset": formatBranchCreate,
  "branch delete": formatBranchDelete,
  "backup verify": formatBackupVerify,
  drill: formatDrill,
  restore: formatRestore,
  "restore resume": formatInPlace,
  "restore abort": formatRestoreAbort,
  "restore list": formatRestoreList,
  "restore promote": formatRestorePromote,
  "restore drop": formatRestoreDrop,
  "image build": formatImageBuild,
  doctor: formatDoctor,
  test: formatTest,
  version: formatVersion,
};

/** How the views of each verb are shown to people. */
export const VIEW_FORMATTERS: { readonly [Verb in keyof Views]: ViewFormatter<Views[Verb]> } = {
  "rollout status --watch": ROLLOUT_VIEW,
};

/** The blocks of a result. */
export function blocksOf<Name extends keyof Results>(
  { verb, data }: { readonly verb: Name; readonly data: Results[Name] },
  at: string,
): readonly Block[] {
  return FORMATTERS[verb](data, { at: Date.parse(at) });
}

/** How a view is shown. */
export function viewFormatterOf<Name extends keyof Views>(verb: Name): ViewFormatter<Views[Name]> {
  return VIEW_FORMATTERS[verb];
}

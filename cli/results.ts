import type { ApiKeyCreated, ApiKeyList, ApiKeyRevoked } from "../operations/api-keys/keys.ts";
import type { AuditLog } from "../operations/audit/log.ts";
import type { BackupRecord } from "../operations/backups/history.ts";
import type { BackupResult } from "../operations/backups/request.ts";
import type { BranchDiff } from "../operations/branches/diff.ts";
import type { Branches, BranchCreated, BranchDeleted } from "../operations/branches/lifecycle.ts";
import type { SchemaChange } from "../operations/branches/merge/change.ts";
import type { WorkloadRecorded } from "../operations/branches/record/record.ts";
import type { BranchShadow } from "../operations/branches/shadow/shadow.ts";
import type { BranchTest } from "../operations/branches/test.ts";
import type { BranchStatus } from "../operations/branches/model.ts";
import type { BackupVerification } from "../operations/backups/verify.ts";
import type { DrillResult } from "../operations/restore/drill.ts";
import type { DumpRestored } from "../operations/dumps/scratch.ts";
import type { HostedRestored } from "../operations/supabase/pitr.ts";
import type { InPlaceResult, RestoreAborted } from "../operations/restore/in-place.ts";
import type { RestoreResult } from "../operations/restore/restore.ts";
import type { ScratchInfo } from "../operations/restore/scratch.ts";
import type { Unfinished } from "../operations/restore/unfinished.ts";
import type { AbortResult } from "../operations/rollout/commands/abort.ts";
import type { LedResult } from "../operations/rollout/commands/ask-leader.ts";
import type { RolloutDetail, RolloutHistory } from "../operations/rollout/commands/history.ts";
import type { CutoverPlan } from "../operations/rollout/commands/plan.ts";
import type { ReleaseList } from "../operations/rollout/commands/releases.ts";
import type { ResumeResult } from "../operations/rollout/commands/resume.ts";
import type { RolloutStatus } from "../operations/rollout/commands/status.ts";
import type { TesterLink } from "../operations/rollout/commands/tester-link.ts";
import type { WatchResult } from "../operations/rollout/commands/watch.ts";
import type { InterruptedResult, RolloutResult } from "../operations/rollout/model/result.ts";
import type { RotationResult } from "../operations/secrets/rotate.ts";
import type { RotationStatus } from "../operations/secrets/status.ts";
import type { ImageBuildResult } from "../operations/images/reference.ts";
import type { PgtapResult } from "../operations/migrations/pgtap.ts";
import type { LintResult } from "../operations/reconcile/lint.ts";
import type { ReconcileResult } from "../operations/reconcile/reconcile.ts";
import type { VerifyResult } from "../operations/reconcile/verify.ts";
import type { ApplyPendingResult } from "../operations/schema/apply.ts";
import type { MigrationPlan } from "../operations/schema/plan.ts";
import type { DoctorResult } from "../platforms/machine/doctor.ts";
import type { DownResult, PreviewResult, StackStatus, UpResult } from "../platforms/results.ts";
import type { ServerVariable } from "../stacks/server.ts";
import type { PlanReport } from "../policies/report/model.ts";

/**
 * The data of each verb's result: what `--json` prints, and what `cli/format` puts into words. `docs/events.md` and
 * `docs/events.schema.json` are generated from it.
 */
export interface Results {
  up: UpResult;
  preview: PreviewResult;
  down: DownResult;
  status: StackStatus;
  env: EnvironmentData;
  synth: SynthData;
  plan: PlanResult;
  audit: PlanResult;
  cutover: RolloutResult | InterruptedResult;
  rollback: LedResult;
  releases: ReleaseList;
  log: AuditLog;
  "rollout plan": CutoverPlan;
  "rollout status": RolloutStatus;
  "rollout status --watch": WatchResult;
  "rollout history": RolloutHistory | RolloutDetail;
  "rollout pause": LedResult;
  "rollout resume": ResumeResult;
  "rollout promote": LedResult;
  "rollout abort": AbortResult;
  "rollout tester-link": TesterLink;
  "rollout finish": RolloutResult | InterruptedResult;
  "migrate plan": MigrationPlan;
  "migrate apply": ApplyPendingResult;
  "migrate test": PgtapResult;
  "migrate verify": VerifyResult;
  "migrate lint": LintResult;
  "migrate reconcile": ReconcileResult;
  "backup now": BackupResult;
  "backup list": BackupListData;
  "branch create": BranchCreated;
  "branch list": BranchListData;
  "branch status": BranchStatusData;
  "branch diff": BranchDiff;
  "branch merge": SchemaChange;
  "branch revert": SchemaChange;
  "api-key create": ApiKeyCreated;
  "api-key list": ApiKeyList;
  "api-key revoke": ApiKeyRevoked;
  "branch record": WorkloadRecorded;
  "branch shadow": BranchShadow;
  "branch test": BranchTest;
  "branch reset": BranchCreated;
  "branch delete": BranchDeleted;
  "backup verify": BackupVerification;
  drill: DrillResult;
  restore: RestoreResult | InPlaceResult | DumpRestored | HostedRestored;
  "restore resume": InPlaceResult;
  "restore abort": RestoreAborted;
  "restore list": RestoreListData;
  "restore promote": ScratchInfo;
  "restore drop": ScratchInfo;
  "secrets rotate": RotationResult;
  "secrets status": RotationStatus;
  "image build": ImageBuildResult;
  doctor: DoctorResult;
  test: TestData;
  version: VersionResult;
}

/** The data of the views of each verb that has some. */
export interface Views {
  "rollout status --watch": RolloutStatus;
}

/** Formats of a report. */
export type PlanFormat = "text" | "json" | "markdown" | "sarif";

/** `plan` and `audit`. */
export interface PlanResult extends PlanReport {
  /** The report in the format that was requested: its text, or the path of the file that was written. */
  readonly report?: { readonly format: PlanFormat; readonly text?: string; readonly path?: string };
}

/** `backup list`. */
export interface BackupListData {
  /** Newest first. */
  readonly backups: readonly BackupRecord[];
  /** Why the history could not be read: what the repository has is shown without it. */
  readonly unreachable?: string;
  /** Stack on a cluster; absent for `local`. */
  readonly stack?: string;
}

/** `branch list`. */
export interface BranchListData extends Pick<Branches, "stack"> {
  /** In the order of their names. */
  readonly branches: readonly BranchStatus[];
}

/** `branch status`. */
export interface BranchStatusData extends Pick<Branches, "stack"> {
  readonly branch: BranchStatus;
  /** Connection string of the owner, with its password only if it was requested; absent if the branch does not run. */
  readonly url?: string;
  /** File with the password, if the URL lacks it; absent for a hosted branch. */
  readonly passwords?: string;
}

/** `restore list`. */
export interface RestoreListData {
  /** Oldest first. */
  readonly servers: readonly ScratchInfo[];
  /** Stack on a cluster; absent for `local`. */
  readonly stack?: string;
  /** A restore in place that was killed. */
  readonly unfinished?: Unfinished;
}

/** `test`: how many checks and tests passed, failed and were skipped. */
export interface TestData {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly TestFailure[];
}

/** A check or a test that failed. */
export interface TestFailure {
  /** The file below the project, or the name of a check or a project of vitest. */
  readonly file: string;
  /** The test with its suites; none if the file or the check failed as a whole. */
  readonly test?: string;
  /** First lines of the reason. */
  readonly message: string;
}

/** `env`. */
export interface EnvironmentData {
  readonly stack: string;
  /** Whether an `.env.example` was requested. */
  readonly example: boolean;
  readonly variables: readonly ServerVariable[];
}

/** `synth`. */
export interface SynthData {
  readonly stack: string;
  /** With `--out`, the path of each file instead of its content. */
  readonly files: readonly { readonly name: string; readonly content?: string; readonly path?: string }[];
}

/** `--version`. */
export interface VersionResult {
  /** Version of the package. */
  readonly version: string;
  /** Commit of the checkout, with `-dirty` if files were changed since; absent outside a checkout. */
  readonly commit?: string;
  /** Version of Node, such as `v24.21.0`. */
  readonly node: string;
}

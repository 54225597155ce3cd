import type { LogEvent, Operation, ProgressEvent } from "../contract/events.ts";
import type { Slot } from "../contract/slots.ts";
import type { AuditStore } from "../operations/audit/log.ts";
import type { LockWait } from "../operations/migrations/locks.ts";
import type { Branches } from "../operations/branches/lifecycle.ts";
import type { DumpPlace } from "../operations/dumps/job.ts";
import type { HostedProject } from "../operations/supabase/pitr.ts";
import type { RestorePlace } from "../operations/restore/scratch.ts";
import type { RestoreSite } from "../operations/restore/site.ts";
import type { RolloutContext } from "../operations/rollout/ports/context.ts";
import type { ReleaseGuard } from "../operations/schema/apply.ts";
import type { RotationContext } from "../operations/secrets/rotate.ts";
import type { Session } from "../operations/session.ts";
import type { ServerVariable } from "../stacks/server.ts";
import type { Settings } from "../stacks/settings.ts";
import type { Environment } from "../stacks/settings/setting.ts";
import type { Overrides } from "./declared.ts";
import type { DownPlan, DownResult, PreviewResult, StackStatus, SynthFile, UpPlan, UpResult } from "./results.ts";

/** A stack of this project, opened once per command. It hides on which platform the stack runs. */
export interface Stack {
  readonly name: string;
  readonly environment: Environment;
  /** The typed overrides. */
  readonly overrides: Overrides;
  readonly settings: Settings;
  /** Who changed the stack, when and why. */
  readonly audit: AuditStore;
  /** Creates and updates what the program declares. */
  up(options: UpOptions): Operation<UpResult>;
  /** What {@link up} would change; by the Pulumi engine also under the policy pack. */
  preview(options: Pick<UpOptions, "engine" | "signal">): Operation<PreviewResult>;
  /** Removes the stack. Its data stays, unless `volumes` is set. */
  down(options: DownOptions): Operation<DownResult>;
  status(): Promise<StackStatus>;
  logs(options: LogsOptions): AsyncGenerator<LogEvent, void, void>;
  /** What the program declares, as files for Compose or for a Kubernetes API. */
  synth(options: SynthOptions): Promise<readonly SynthFile[]>;
  /** The environment variables of the server. */
  variables(): Promise<readonly ServerVariable[]>;
  /** The state of the Pulumi engine as `pulumi stack export --show-secrets` writes it. */
  engineState(): Promise<string>;
  /** Runs work on the stack's rollout, and closes what it opened. */
  rollout: RunsRollouts;
  /** @throws UserError if there is no database, or the connection would not be verified */
  database(options: DatabaseOptions): Promise<Database>;
  /** The branches of the database. @throws UserError without the credentials of a hosted one */
  branches(options: DatabaseOptions): Promise<Branches>;
  /** Where the database's backups are restored. @throws UserError on a platform where this program cannot */
  restores(): RestorePlace;
  /** The database, to be restored in place. @throws UserError as {@link restores} does */
  restoreSite(signal: AbortSignal): RestoreSite;
  /** What restores a hosted database. Absent for one on this machine. */
  readonly hosted?: {
    /** The dumps that the stack's CronJobs make. */
    dumps(): Promise<DumpPlace>;
    /** The Supabase project. @throws UserError without credentials, or if it does not exist */
    project(): Promise<HostedProject>;
  };
  /** A command in a slot. @throws UserError if it does not run */
  exec(slot: Slot, options: ExecOptions): Promise<Session>;
  /** PostgreSQL's client as the owner of the database. @throws UserError as {@link database} does */
  psql(options: PsqlOptions): Promise<Session>;
  rotation(signal: AbortSignal, kind: Pick<RolloutKind, "deploys">): RotationContext;
}

export interface UpOptions {
  /** Uses the Pulumi engine on this machine too. */
  readonly engine: boolean;
  /** Asks before the engine changes a stack that is not on this machine. Absent: does not ask. @throws if declined */
  readonly confirm?: ((plan: UpPlan) => Promise<void>) | undefined;
  readonly signal: AbortSignal;
}

export interface DownOptions {
  /** Also removes the volumes and the stack's own state. */
  readonly volumes: boolean;
  /** Asks before data or a stack elsewhere is removed. Absent: does not ask. @throws if declined */
  readonly confirm?: ((plan: DownPlan) => Promise<void>) | undefined;
  readonly signal: AbortSignal;
}

export interface LogsOptions {
  /** Absent: every service. */
  readonly service?: string | undefined;
  readonly follow: boolean;
  /** Last lines of each service to start with. */
  readonly tail: number;
  readonly signal: AbortSignal;
}

export interface ExecOptions {
  readonly command: readonly string[];
  /** Whether it gets a terminal. */
  readonly terminal: boolean;
}

export interface PsqlOptions {
  /** Name of a branch. @default the database itself */
  readonly branch?: string | undefined;
  /** Arguments of psql. */
  readonly args: readonly string[];
  /** Whether it gets a terminal. */
  readonly terminal: boolean;
  readonly signal: AbortSignal;
}

export interface SynthOptions {
  /** Includes the known contents of Kubernetes Secrets. */
  readonly withSecrets: boolean;
}

/** What kind of work a rollout is opened for. */
export interface RolloutKind {
  /** It may deploy an image to a slot, which is refused during an `up` or a `down`. Other work never waits for those. */
  readonly deploys?: boolean;
  /** Users see errors until it has moved them. */
  readonly urgent?: boolean;
}

/** Runs work on a rollout that it opens, and closes the rollout after it. */
export type RunsRollouts = <Event, Result>(
  kind: RolloutKind,
  signal: AbortSignal,
  work: (context: RolloutContext) => AsyncGenerator<Event, Result, void>,
) => AsyncGenerator<Event, Result, void>;

/** A stack's database. */
export interface Database {
  /** Connection string of the owner. A connection to another machine verifies the server. */
  readonly url: string;
  /** The releases that use it. */
  readonly guard: ReleaseGuard;
  /** How its migrations wait for locks. */
  readonly locks: LockWait;
  /** Gives it what supabase/prelude.sql has gained; absent where Supabase brings that, or the user names the database. */
  readonly prelude?: () => Operation<void>;
  /** Runs work that changes the database, while nothing else changes the stack. */
  readonly exclusively: <Event, Result>(
    verb: string,
    work: () => AsyncGenerator<Event, Result, void>,
  ) => AsyncGenerator<Event | ProgressEvent, Result, void>;
}

export interface DatabaseOptions {
  /** Connection string that wins over EXAI_DATABASE_URL and the settings. */
  readonly url?: string | undefined;
  readonly signal: AbortSignal;
}

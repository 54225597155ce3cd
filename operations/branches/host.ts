import type { Operation } from "../../contract/events.ts";
import type { BranchRecord, CopyOptions, CopySource } from "./model.ts";

/** Where the servers of branches run. */
export interface BranchHost {
  readonly kind: "local" | "hosted";
  /** @throws UserError for what this host cannot make, before anything is changed */
  check(options: CopyOptions): Promise<void>;
  /**
   * Makes a copy of main, and starts it; nothing is left of one that fails. Main's sessions stay, and main writes no WAL for it.
   *
   * @throws UserError if there is nothing to start from, such as a backup from before the target
   */
  create(name: string, options?: CopyOptions): Operation<CreatedCopy>;
  /** What a merge is tried on: a name that no branch has, and how it is made. It replaces one that a killed command has left. */
  proofCopy(): Promise<{ readonly name: string; readonly options: CopyOptions }>;
  /** Makes the copy that the next branch takes, where the host can; does not wait for it. */
  prepareSpare(): Promise<void>;
  /** Removes a copy; one that does not exist is removed already. */
  remove(name: string): Promise<void>;
  /** The copies by name. */
  copies(): Promise<ReadonlyMap<string, RunningCopy>>;
  /** Connection string of the owner. @throws UserError if the copy does not run */
  url(name: string): Promise<string>;
}

export interface CreatedCopy extends Pick<BranchRecord, "lsn" | "asOf" | "project" | "withData" | "persistent"> {
  readonly source: CopySource;
  /** State of the copy, if the host reports it with its creation. */
  readonly copy?: RunningCopy;
  /** Why a migration of main failed in it. */
  readonly failed?: string;
}

export interface RunningCopy {
  readonly running: boolean;
  readonly sizeBytes?: number;
  /** What the host knows about it without this machine's record. */
  readonly record?: BranchRecord;
}

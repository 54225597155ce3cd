import type { BranchRecord, BranchTarget, CopySource } from "./model.ts";

/** Where the servers of branches run. */
export interface BranchHost {
  /**
   * Makes a copy of main, and starts it. Main's sessions stay, and main writes no WAL for it.
   *
   * @throws UserError if there is no backup to start from, or none from before the target
   */
  create(name: string, target?: BranchTarget): Promise<CreatedCopy>;
  /** Makes the copy that the next branch takes; does not wait for it. */
  prepareSpare(): Promise<void>;
  /** Removes a copy; one that does not exist is removed already. */
  remove(name: string): Promise<void>;
  /** The copies by name. */
  copies(): Promise<ReadonlyMap<string, RunningCopy>>;
  /** Connection string of the owner. @throws UserError if the copy does not run */
  url(name: string): Promise<string>;
}

export interface CreatedCopy extends Required<Pick<BranchRecord, "lsn">>, Pick<BranchRecord, "asOf"> {
  readonly source: CopySource;
}

export interface RunningCopy {
  readonly running: boolean;
  readonly sizeBytes: number;
}

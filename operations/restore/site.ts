import type { ProgressEvent } from "../../contract/events.ts";
import type { RestorePlace } from "./scratch.ts";
import type { UnfinishedRestore } from "./unfinished.ts";

/** A stack whose database can be restored in place. */
export interface RestoreSite extends RestorePlace {
  readonly unfinished: UnfinishedRestore;
  /** The present password of each role that logs in. A backup has those of its time. */
  readonly logins: Readonly<Record<string, string>>;
  /** Runs work while nothing else changes the stack, its rollout included. @throws UserError `lock-held` that names the holder */
  exclusively<Event, Result>(
    verb: string,
    work: () => AsyncGenerator<Event, Result, void>,
  ): AsyncGenerator<Event | ProgressEvent, Result, void>;
  /** Makes the volume of the database if it is lost. */
  provideVolume(): Promise<void>;
  /** Stops the runner of the backups, then the database. What is not there is stopped already. */
  stop(): Promise<void>;
  /** Starts the database and waits until it is healthy. @throws UserError if it is not */
  startDatabase(): Promise<void>;
  startRunner(): Promise<void>;
  /** Has branches that are made from now on begin with the database as it is now. */
  forgetBranchBase(): Promise<void>;
}

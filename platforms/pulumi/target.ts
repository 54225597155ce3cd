import type { Operation } from "../../contract/events.ts";
import type { Settings } from "../../stacks/settings.ts";

/** What an operation needs before the engine runs. @throws UserError */
export type Prepare = (settings: Settings) => Operation<void>;

/** A stack for the Pulumi engine. */
export interface EngineTarget {
  readonly stack: string;
  /** Folder for the engine's own copy of the stack file. */
  readonly folder: string;
  /** Folder of the backend that is made if none is configured, and that the stack is made in. Absent: the team shares one. */
  readonly ownBackend?: string;
  /** Values that win over the stack file's, keys without `exai:`. */
  readonly overrides: Readonly<Record<string, string>>;
}

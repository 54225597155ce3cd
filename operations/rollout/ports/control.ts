import { randomUUID } from "node:crypto";

/**
 * What another terminal may ask of the one who leads a rollout. `continue` ends a pause; `promote` passes to the next
 * step now, and is the approval where one is waited for; `full` goes on to all users.
 */
export type ControlAction =
  | { readonly action: "pause" }
  | { readonly action: "continue" }
  | { readonly action: "promote"; readonly full: boolean }
  | { readonly action: "abort"; readonly evict: boolean }
  | { readonly action: "rollback"; readonly evict: boolean };

/** A request, addressed to one rollout: it never reaches a later one. */
export type ControlRequest = ControlAction & {
  readonly id: string;
  /** Identifier of the rollout that it is meant for. */
  readonly rollout: string;
  /** user@host */
  readonly who: string;
  readonly why: string;
  /** ISO 8601. */
  readonly at: string;
};

/** What the one who leads says to a request. */
export interface ControlAnswer {
  /** The request's. */
  readonly id: string;
  readonly accepted: boolean;
  /** What was done, or why not. */
  readonly detail: string;
}

/** Where a running controller is reached from elsewhere. Without one, a verb takes the lease and acts itself. */
export interface ControlStore {
  /** How long a living controller may take to see a request, seconds; after it, a rollback takes the lease over. */
  readonly patienceSeconds: number;
  /** Returns when the request is safe. */
  post(request: ControlRequest): Promise<void>;
  /** The open requests to a rollout, oldest first; each is given out once, and those to other rollouts never are. */
  take(rollout: string): Promise<readonly ControlRequest[]>;
  /** Takes a request back. @returns false where it has been taken already */
  withdraw(id: string): Promise<boolean>;
  answer(answer: ControlAnswer): Promise<void>;
  /** The answer to a request; undefined while there is none. */
  answerTo(id: string): Promise<ControlAnswer | undefined>;
}

/** A request from here and now. */
export function controlRequest(action: ControlAction, rollout: string, who: string, why: string): ControlRequest {
  return { ...action, id: randomUUID(), rollout, who, why, at: new Date().toISOString() };
}

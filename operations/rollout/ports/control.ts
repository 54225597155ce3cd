import { randomUUID } from "node:crypto";

/**
 * What another process may request from the leader of a rollout. `continue` ends a pause. `promote` goes to the next step
 * now, and approves a rollout that waits for an approval; with `full`, it goes to 100 %.
 */
export type ControlAction =
  | { readonly action: "pause" }
  | { readonly action: "continue" }
  | { readonly action: "promote"; readonly full: boolean }
  | { readonly action: "abort"; readonly evict: boolean }
  | { readonly action: "rollback"; readonly evict: boolean };

/** A request to one rollout; later rollouts do not receive it. */
export type ControlRequest = ControlAction & {
  readonly id: string;
  /** Identifier of the rollout. */
  readonly rollout: string;
  /** user@host */
  readonly who: string;
  readonly why: string;
  /** ISO 8601. */
  readonly at: string;
};

/** The leader's answer to a request. */
export type ControlAnswer =
  | {
      /** Identifier of the request. */
      readonly id: string;
      readonly accepted: true;
      /** Label of the state after the request. */
      readonly state: string;
    }
  | {
      readonly id: string;
      readonly accepted: false;
      /** Why the request was refused. */
      readonly problem: string;
      /** Command that helps, e.g. `rollout resume`. */
      readonly command?: string;
    };

/** Carries requests to the leader of a rollout, and its answers. */
export interface ControlStore {
  /** Seconds until a working leader takes a request; afterwards, a rollback takes the lease over. */
  readonly patienceSeconds: number;
  /** Returns when the request is stored durably. */
  post(request: ControlRequest): Promise<void>;
  /** Removes and returns the requests to a rollout, oldest first. Requests to other rollouts are dropped. */
  take(rollout: string): Promise<readonly ControlRequest[]>;
  /** Removes a request. @returns false if it was already taken */
  withdraw(id: string): Promise<boolean>;
  answer(answer: ControlAnswer): Promise<void>;
  /** The answer to a request; undefined if there is none yet. */
  answerTo(id: string): Promise<ControlAnswer | undefined>;
}

/** Creates a request with an identifier and the current time. */
export function controlRequest(action: ControlAction, rollout: string, who: string, why: string): ControlRequest {
  return { ...action, id: randomUUID(), rollout, who, why, at: new Date().toISOString() };
}

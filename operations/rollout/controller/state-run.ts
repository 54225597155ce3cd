import type { StepRequest } from "../../../contract/events.ts";
import type { Slot } from "../../../contract/slots.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import type { Journal } from "../model/journal.ts";
import type { Machine, Readiness } from "../model/machine.ts";
import { wait, type RolloutContext } from "../ports/context.ts";
import type { SlotStatus } from "../ports/deployer.ts";
import type { GateMemory } from "./gate-memory.ts";
import type { RolloutStore } from "./store.ts";
import type { EventInput, Facts } from "./transition.ts";

/** A request has changed the state. */
export class Requested extends Error {
  readonly request: StepRequest;

  constructor({ action, who, why }: StepRequest) {
    super(`${who} requested ${action}`);
    this.request = { action, who, why };
  }
}

/** The run of one state: what its handler uses until the state is left. */
export class StateRun {
  /** Evaluates the gates now; absent if the state has no gates. */
  judge: (() => Promise<readonly Verdict[]>) | undefined;
  /** Aborted if the state is {@link leave left}, by Ctrl-C, and by the loss of the lease. */
  readonly signal: AbortSignal;
  readonly #store: RolloutStore;
  readonly #left = new AbortController();

  constructor(store: RolloutStore) {
    this.#store = store;
    this.signal = AbortSignal.any([store.ended, this.#left.signal]);
  }

  get context(): RolloutContext {
    return this.#store.context;
  }

  get machine(): Machine {
    return this.#store.machine;
  }

  get journal(): Journal {
    return this.#store.journal;
  }

  get gateMemory(): GateMemory {
    return this.#store.gateMemory;
  }

  /** Whether the state was left, and the process still leads the rollout. */
  get left(): boolean {
    return this.signal.aborted && !this.#store.ended.aborted;
  }

  /** Whether another process began the state: it may have been without a controller for a while. */
  get resumed(): boolean {
    return this.#store.openedIn === this.machine.state;
  }

  /** Ends the handler: a request has changed the state. */
  leave(reason: unknown): void {
    this.#left.abort(reason);
  }

  /** Waits. @throws the signal's reason if the state is left */
  async sleep(milliseconds: number): Promise<void> {
    await wait(this.context, milliseconds, this.signal);
  }

  /** See {@link RolloutStore.dispatch}. */
  async dispatch(event: EventInput, facts?: Facts): Promise<boolean> {
    return this.#store.dispatch(event, facts);
  }

  /** See {@link RolloutStore.reconcile}. */
  async reconcile(): Promise<number> {
    return this.#store.reconcile(this.signal);
  }

  /** See {@link RolloutStore.readiness}. */
  async readiness(): Promise<Readiness> {
    return this.#store.readiness();
  }

  /** See {@link RolloutStore.deploy}. */
  async deploy(slot: Slot, image: string): Promise<SlotStatus> {
    return this.#store.deploy(slot, image, this.signal);
  }

  /** See {@link RolloutStore.drain}. */
  async drain(slot: Slot): Promise<void> {
    await this.#store.drain(slot, this.signal);
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../../contract/slots.ts";
import { sameTable } from "../../../contract/envoy/routes.ts";
import { isRefusal } from "../../../contract/errors.ts";
import { bootTime } from "../host/boot-clock.ts";
import { isUnwritable } from "../host/durable-files.ts";
import { firstJournal, type BootTime, type Journal } from "../model/journal.ts";
import type { Machine, Readiness, RolloutState } from "../model/machine.ts";
import type { RolloutContext } from "../ports/context.ts";
import type { SlotStatus } from "../ports/deployer.ts";
import type { JournalWriter } from "../ports/journal.ts";
import { FencedError, type Lease } from "../ports/lease.ts";
import type { TrafficWriter } from "../ports/traffic.ts";
import type { GateMemory } from "./gate-memory.ts";
import { lostLease } from "./lost-lease.ts";
import { assumedReadiness, transition, type EventInput, type Facts, type Transition } from "./transition.ts";

/** Milliseconds that a rollback waits for the router's answer about the slots. */
const ROLLBACK_READINESS_MS = 500;

/**
 * The rollout while this process holds its lease. Writes in the one order that survives a crash at any point: the journal,
 * then the router, then the router is read back.
 */
export class RolloutStore {
  readonly context: RolloutContext;
  /** Aborted by Ctrl-C and by the loss of the lease, with the cause. */
  readonly ended: AbortSignal;
  /** The state in which this process has found the rollout. */
  readonly openedIn: RolloutState;
  readonly gateMemory: GateMemory = { baseline: undefined };
  /** Whether work on a slot had not ended when the operation did. */
  continues = false;
  readonly #lease: Lease;
  readonly #journalWriter: JournalWriter;
  readonly #trafficWriter: TrafficWriter;
  #journal: Journal;
  /** The last answer of the router about the slots. */
  #ready: Readiness | undefined;
  /** Whether the router has not yet confirmed the journal's table to this holder: then it is written without a read. */
  #unconfirmed = false;
  /** A write whose answer was lost; the journal must be read before the next write. */
  #doubtful: Transition | undefined;
  #writing: Promise<unknown> = Promise.resolve();
  #applying: Promise<unknown> = Promise.resolve();

  private constructor(
    context: RolloutContext,
    lease: Lease,
    journalWriter: JournalWriter,
    trafficWriter: TrafficWriter,
    journal: Journal,
  ) {
    this.context = context;
    this.#lease = lease;
    this.#journalWriter = journalWriter;
    this.#trafficWriter = trafficWriter;
    this.#journal = journal;
    this.openedIn = journal.machine.state;
    this.ended = AbortSignal.any([context.signal, lease.lost]);
  }

  /**
   * Acquires the lease. Without a journal, the router's table shows which slot has the users.
   *
   * @param verb name of the operation, for the lease
   * @param how `seize` takes the lease from a holder that does not answer
   * @throws UserError (lock-held) if another process holds the lease
   */
  static async open(
    context: RolloutContext,
    verb: string,
    how: "acquire" | "seize" = "acquire",
  ): Promise<RolloutStore> {
    const lease = await context.leases[how](verb);
    try {
      const journalWriter = await context.journal.open(lease);
      const trafficWriter = await context.traffic.writer(lease);
      const journal = (await context.journal.read()) ?? firstJournal(await context.traffic.inForce());
      return new RolloutStore(context, lease, journalWriter, trafficWriter, journal);
    } catch (error) {
      await lease.release();
      throw error instanceof FencedError ? lostLease(error) : error;
    }
  }

  /** Releases the lease. */
  async close(): Promise<void> {
    await this.#lease.release();
  }

  get machine(): Machine {
    return this.#journal.machine;
  }

  get journal(): Journal {
    return this.#journal;
  }

  /** Asks the router which slots are ready, or takes the answer of an earlier request. */
  async readiness(answer = this.context.traffic.readiness()): Promise<Readiness> {
    this.#ready = await answer;
    return this.#ready;
  }

  /** The same for a rollback, which does not wait for a slow router: undefined if there is no answer in time. */
  async readinessSoon(answer?: Promise<Readiness>): Promise<Readiness | undefined> {
    const readiness = unlessRefused(this.readiness(answer));
    return Promise.race([readiness, sleep(ROLLBACK_READINESS_MS, undefined, { ref: false })]);
  }

  /**
   * Journals an event with the table of the next state. {@link reconcile} puts the table in force afterwards.
   *
   * Events are written one at a time: a state's handler and a request may dispatch at the same time.
   *
   * @returns whether the machine changed
   */
  async dispatch(event: EventInput, facts: Facts = {}): Promise<boolean> {
    const observed = facts.observed === undefined ? await this.#readinessFor(event) : facts.observed.ready;
    const written = this.#writing.then(async () => {
      const now = await bootTime();
      // A later read may have finished while this event waited for its turn.
      const ready = observed === undefined ? assumedReadiness(this.machine) : (this.#ready ?? observed);
      return this.#write(event, ready, now, facts);
    });
    this.#writing = written.catch(() => undefined);
    return written;
  }

  async #write(event: EventInput, ready: Readiness, now: BootTime, facts: Facts): Promise<boolean> {
    if (this.#doubtful !== undefined) await this.#settle(this.#doubtful);
    // A request has left the state that the event belongs to.
    if (facts.during !== undefined && this.machine.state !== facts.during) return false;
    const stamp = { now, token: this.#lease.token, who: this.context.who };
    const next = transition(this.#journal, event, ready, facts, stamp);
    if (next === undefined) return false;
    try {
      await this.#guarded(() => this.#journalWriter.write(next.journal));
    } catch (error) {
      // If only the answer was lost, the write is in place.
      const inPlace = await this.#settle(next).catch(() => false);
      if (!inPlace || isRefusal(error) || isUnwritable(error)) throw error;
      return next.moves;
    }
    this.#adopt(next);
    return next.moves;
  }

  #adopt({ journal, entry }: Transition): void {
    if (journal.table !== this.#journal.table) this.#unconfirmed = true;
    this.#journal = journal;
    this.context.announcer?.queue(entry);
  }

  /**
   * Checks whether a failed write is in place, and adopts it if so: no other write may get its number. Until the journal can
   * be read, nothing else is written.
   */
  async #settle(write: Transition): Promise<boolean> {
    this.#doubtful = write;
    const { token, sequence } = write.journal;
    const present = await this.context.journal.read();
    this.#doubtful = undefined;
    const inPlace = present?.token === token && present.sequence === sequence;
    if (inPlace) this.#adopt(write);
    return inPlace;
  }

  /**
   * Puts the journal's table in force if another one is; the writer reads the router back.
   *
   * @returns milliseconds that the change took; 0 if the table was in force
   */
  async reconcile(signal: AbortSignal = this.ended): Promise<number> {
    if (!this.#unconfirmed) {
      // If the table cannot be read it is written; the writer's read-back decides.
      const present = await unlessRefused(this.context.traffic.inForce());
      if (present !== undefined && sameTable(present, this.#journal.table)) return 0;
    }
    // One at a time: the handler of a state that was just left may still be writing.
    const applied = this.#applying.then(() => this.#apply(signal));
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  /** Writes the current table: a request may have changed it while the router was read. */
  async #apply(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const { table } = this.#journal;
    const milliseconds = await this.#guarded(() => this.#trafficWriter.apply(table, signal));
    if (table === this.#journal.table) this.#unconfirmed = false;
    return milliseconds;
  }

  /** Deploys an image into a slot. */
  async deploy(slot: Slot, image: string, signal: AbortSignal = this.ended): Promise<SlotStatus> {
    await this.#checkHolder();
    return this.context.deployer.deploy(slot, image, signal);
  }

  /** Stops the server of a slot. */
  async drain(slot: Slot, signal: AbortSignal = this.ended): Promise<void> {
    await this.#checkHolder();
    await this.context.deployer.drain(slot, this.context.deadlines.graceSeconds, signal);
  }

  /** The deployer does not check tokens, so a process that was suspended checks whether another one has taken over. */
  async #checkHolder(): Promise<void> {
    const present = await this.context.journal.read();
    if (present !== undefined && present.token > this.#lease.token) throw lostLease(new FencedError("superseded"));
  }

  /** Undefined if a rollback cannot wait for the router. */
  async #readinessFor(event: EventInput): Promise<Readiness | undefined> {
    if (event.type === "rollback") return this.readinessSoon();
    if (event.type !== "fail") return this.readiness();
    // A rollback does not wait for a slow router; the last answer is at most a few seconds old.
    return this.#ready ?? this.readiness().catch(() => undefined);
  }

  async #guarded<T>(action: () => Promise<T>): Promise<T> {
    if (this.#lease.lost.aborted) throw lostLease(this.#lease.lost.reason);
    try {
      return await action();
    } catch (error) {
      throw error instanceof FencedError ? lostLease(error) : error;
    }
  }
}

/** An answer, or undefined on an error. A refusal is thrown. */
async function unlessRefused<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  return answer.catch((error: unknown) => {
    if (isRefusal(error)) throw error;
    return undefined;
  });
}

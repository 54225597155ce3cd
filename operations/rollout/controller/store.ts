import { setTimeout as sleep } from "node:timers/promises";
import { SLOTS, type Slot, type Weights } from "../../../contract/slots.ts";
import { sameTable, type RouteTable } from "../../../contract/envoy/routes.ts";
import { isRefusal, UserError } from "../../../contract/errors.ts";
import { wait, type RolloutContext } from "../ports/context.ts";
import type { SlotStatus } from "../ports/deployer.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { bootTime, type BootTime } from "../host/boot-clock.ts";
import { firstJournal, type HistoryEntry, type Journal } from "../model/journal.ts";
import { FencedError, type Lease, TakenError } from "../ports/lease.ts";
import {
  emptySlots,
  type Machine,
  type Readiness,
  type RolloutEvent,
  type RolloutState,
  stableIsStopping,
  weightsOf,
} from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import type { TrafficWriter } from "../ports/traffic.ts";
import { isUnwritable } from "../host/durable-files.ts";
import type { JournalWriter } from "../ports/journal.ts";
import { reduce } from "../model/reduce.ts";
import { stateLabel } from "../model/labels.ts";

/** An event without the readiness, which the session adds. */
export type Happening = RolloutEvent extends infer Event
  ? Event extends RolloutEvent
    ? Omit<Event, "ready">
    : never
  : never;

/** What goes into the journal with an event. */
export interface Facts {
  readonly verdicts?: readonly Verdict[];
  /** What was deployed: the restarts are counted from it. */
  readonly deployed?: SlotStatus;
  /** Who asked for it, where it is not the one who leads. */
  readonly who?: string;
  readonly why?: string;
  /** The state that the event is about: it counts only while the machine is still there. */
  readonly during?: RolloutState;
  /** What a look just before has found, where the router answered. Absent: it is looked now. */
  readonly look?: { readonly ready: Readiness | undefined };
}

interface Write {
  readonly journal: Journal;
  readonly entry: HistoryEntry;
}

/**
 * One holder's turn at the rollout: the lease, the journal and the routes, changed in the one order that survives a
 * crash at any point: journal first, then the router, then the router's own answer.
 */
export class RolloutSession {
  readonly context: RolloutContext;
  /** Looks at the gates now; present while a state is under them. */
  judge: (() => Promise<readonly Verdict[]>) | undefined;
  readonly #ended: AbortSignal;
  readonly #lease: Lease;
  readonly #journalWriter: JournalWriter;
  readonly #trafficWriter: TrafficWriter;
  #journal: Journal;
  #ready: Readiness | undefined;
  /** Whether the journal has a table that the router has not confirmed to this holder: asking it first would tell nothing. */
  #unconfirmed = false;
  /** A write whose answer was lost, until the journal has been read after it. */
  #doubtful: Write | undefined;
  #turn = new AbortController();
  #signal: AbortSignal;
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
    this.#ended = AbortSignal.any([context.signal, lease.lost]);
    this.#signal = AbortSignal.any([this.#ended, this.#turn.signal]);
  }

  /**
   * Takes the lease for a verb. Where no journal is, the router's own table says which slot has the users.
   *
   * @param how `seize` takes it from a holder that does not answer.
   * @throws UserError with exit code 3 when somebody else holds the lease.
   */
  static async open(
    context: RolloutContext,
    verb: string,
    how: "acquire" | "seize" = "acquire",
  ): Promise<RolloutSession> {
    const lease = await context.leases[how](verb);
    try {
      const journalWriter = await context.journal.open(lease);
      const trafficWriter = await context.traffic.writer(lease);
      const journal = (await context.journal.read()) ?? firstJournal(await context.traffic.inForce());
      return new RolloutSession(context, lease, journalWriter, trafficWriter, journal);
    } catch (error) {
      await lease.release();
      throw error instanceof FencedError ? lostLease(error) : error;
    }
  }

  /** Gives the lease back. What is in the journal stays as it is. */
  async close(): Promise<void> {
    await this.#lease.release();
  }

  /** Aborted by Ctrl-C, by the loss of the lease, and when the present state is {@link leave left} under its work. */
  get signal(): AbortSignal {
    return this.#signal;
  }

  /** Whether Ctrl-C or the loss of the lease ended it, and why. */
  get ended(): AbortSignal {
    return this.#ended;
  }

  /** Begins the work of a state. */
  enter(): void {
    this.#turn = new AbortController();
    this.#signal = AbortSignal.any([this.#ended, this.#turn.signal]);
  }

  /** Ends the work of the present state: a request has led elsewhere. */
  leave(reason: unknown): void {
    this.#turn.abort(reason);
  }

  /** Waits, unless the state is left before. */
  async sleep(milliseconds: number): Promise<void> {
    await wait(this.context, milliseconds, this.#signal);
  }

  get machine(): Machine {
    return this.#journal.machine;
  }

  get journal(): Journal {
    return this.#journal;
  }

  /** Looks at the slots anew, or takes the answer of a look that was begun before. */
  async look(answer = this.context.traffic.readiness()): Promise<Readiness> {
    this.#ready = await answer;
    return this.#ready;
  }

  /** The same for a rollback, which does not wait for a router that is slow to answer: undefined where it is. */
  async lookQuickly(answer?: Promise<Readiness>): Promise<Readiness | undefined> {
    return Promise.race([unlessRefused(this.look(answer)), sleep(ROLLBACK_LOOK_MS, undefined, { ref: false })]);
  }

  /**
   * Journals what has happened, with the table that the next state needs. The table itself is put in force by
   * {@link enforce}, after the journal is safe.
   *
   * One event at a time: the work of a state and a request from elsewhere may come together.
   *
   * @returns whether the machine changed.
   */
  async happened(event: Happening, facts: Facts = {}): Promise<boolean> {
    const looked = facts.look === undefined ? await this.#readinessFor(event) : facts.look.ready;
    const written = this.#writing.then(async () => {
      const now = await bootTime();
      // While it waited for its turn, another look may have found more.
      const ready = looked === undefined ? blindly(this.machine) : (this.#ready ?? looked);
      return this.#write(event, ready, now, facts);
    });
    this.#writing = written.catch(() => undefined);
    return written;
  }

  async #write(
    event: Happening,
    ready: Readiness,
    now: BootTime,
    { verdicts = [], deployed, who, why, during }: Facts,
  ): Promise<boolean> {
    if (this.#doubtful !== undefined) await this.#settle(this.#doubtful);
    // What a work has found says nothing about a state to which a request has led in the meantime.
    if (during !== undefined && this.#journal.machine.state !== during) return false;
    const before = this.#journal.machine;
    const after = reduce(before, { ...event, ready });
    const weights = weightsOf(after, ready);
    const table = this.#tableFor(weights, after);
    if (after === before && table === this.#journal.table) return false;
    const plan = after.plan ?? before.plan;
    const entry: HistoryEntry = {
      sequence: this.#journal.sequence + 1,
      at: new Date().toISOString(),
      who: who ?? this.context.who,
      rollout: plan?.id ?? "",
      from: before.state.name,
      to: after.state.name,
      label: stateLabel(after),
      reason: why ?? reasonOf(event),
      ...failureOf(event, before, after),
      images: { ...this.#journal.images, ...imagesOf(plan) },
      weights,
      verdicts,
    };
    const { deployed: deployedBefore } = this.#journal;
    const baseline =
      deployed === undefined
        ? deployedBefore
        : { restarts: deployed.restarts, ...(deployed.id === undefined ? {} : { id: deployed.id }) };
    const journal: Journal = {
      schema: 1,
      sequence: entry.sequence,
      token: this.#lease.token,
      machine: after,
      table,
      images: after.state.name === "deploy" ? entry.images : this.#journal.images,
      ...(baseline === undefined ? {} : { deployed: baseline }),
      left: this.#leftWith(weights, after, now, deployed === undefined ? undefined : plan?.candidate),
      entry,
    };
    try {
      await this.#guarded(() => this.#journalWriter.write(journal));
    } catch (error) {
      // It may be in place all the same, where only the answer was lost.
      const inPlace = await this.#settle({ journal, entry }).catch(() => false);
      if (!inPlace || isRefusal(error) || isUnwritable(error)) throw error;
      return after !== before;
    }
    this.#goOnFrom(journal, entry);
    return after !== before;
  }

  #goOnFrom(journal: Journal, entry: HistoryEntry): void {
    if (journal.table !== this.#journal.table) this.#unconfirmed = true;
    this.#journal = journal;
    this.context.announcer?.happened(entry);
  }

  /**
   * Whether a write that failed is in place, which is gone on from then: nobody may write another one of its number. As long as
   * the journal cannot be read either, nothing else is written.
   */
  async #settle(write: Write): Promise<boolean> {
    this.#doubtful = write;
    const { journal, entry } = write;
    const present = await this.context.journal.read();
    this.#doubtful = undefined;
    const inPlace = present?.token === journal.token && present.sequence === journal.sequence;
    if (inPlace) this.#goOnFrom(journal, entry);
    return inPlace;
  }

  /**
   * Puts the journal's table in force where another one is; the writer reads the router back.
   *
   * @returns milliseconds that the change took; 0 when it was in force already.
   */
  async enforce(): Promise<number> {
    const signal = this.#signal;
    if (!this.#unconfirmed) {
      // A router whose table cannot be read is given ours: the writer's own read-back has the last word.
      const present = await unlessRefused(this.context.traffic.inForce());
      if (present !== undefined && sameTable(present, this.#journal.table)) return 0;
    }
    // One after the other: the work that a request has just ended may be at it still.
    const applied = this.#applying.then(() => this.#apply(signal));
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  /** The journal's table of now: while the router was asked, a request may have changed it. */
  async #apply(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const { table } = this.#journal;
    const milliseconds = await this.#guarded(() => this.#trafficWriter.apply(table, signal));
    if (table === this.#journal.table) this.#unconfirmed = false;
    return milliseconds;
  }

  /** Puts an image into a slot. */
  async deploy(slot: Slot, image: string): Promise<SlotStatus> {
    await this.#stillOurs();
    return this.context.deployer.deploy(slot, image, this.#signal);
  }

  /** Stops what runs in a slot. */
  async drain(slot: Slot): Promise<void> {
    await this.#stillOurs();
    await this.context.deployer.drain(slot, this.context.deadlines.graceSeconds, this.#signal);
  }

  /**
   * What stops and starts containers knows no fencing token: whoever was asleep looks first whether somebody has taken
   * over, for the slot may have users by now.
   */
  async #stillOurs(): Promise<void> {
    const present = await this.context.journal.read();
    if (present !== undefined && present.token > this.#lease.token) throw lostLease(new FencedError("superseded"));
  }

  #tableFor(weights: Weights, machine: Machine): RouteTable {
    const { table } = this.#journal;
    const next: RouteTable = {
      generation: table.generation + 1,
      token: this.#lease.token,
      weights,
      evicted: machine.evicted,
      emptied: emptySlots(machine),
    };
    return sameTable({ ...next, generation: table.generation, token: table.token }, table) ? table : next;
  }

  /**
   * A slot's drain deadline counts from the write that takes its last users, or from the first wait for it.
   *
   * @param deployed slot whose slot has just got a new server, which no user has met
   */
  #leftWith(weights: Weights, after: Machine, now: BootTime, deployed: Slot | undefined): NonNullable<Journal["left"]> {
    const before = this.#journal.left ?? {};
    const awaited =
      after.state.name === "drain"
        ? after.plan?.candidate
        : after.state.name === "retire"
          ? after.plan?.stable
          : undefined;
    return Object.fromEntries(
      SLOTS.flatMap((slot) => {
        if (weights[slot] > 0) return [];
        const just = this.#journal.table.weights[slot] > 0;
        const since = before[slot] ?? (just ? { ...now, users: true } : slot === awaited ? now : undefined);
        if (since === undefined) return [];
        const { at, boot, uptime } = since;
        return [[slot, slot === deployed ? { at, boot, uptime } : since]];
      }),
    );
  }

  /** Undefined where a rollback has to do without the router's word. */
  async #readinessFor(event: Happening): Promise<Readiness | undefined> {
    if (event.type === "rollback") return this.lookQuickly();
    if (event.type !== "fail") return this.look();
    // A rollback does not wait for a router that is slow to answer; the last look is at most seconds old.
    return this.#ready ?? this.look().catch(() => undefined);
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

/** Without the router's word, the slot that had the users before is the better bet, unless its slot was emptied. */
function blindly(machine: Machine): Readiness {
  const { stable, candidate } = machine.plan ?? machine.previous ?? {};
  const gone = stable !== undefined && (stableIsStopping(machine) || machine.emptied.includes(stable));
  const better = gone ? candidate : stable;
  return { blue: better === "blue", green: better === "green" };
}

/** An answer, or undefined where there was none; what is refused stays so. */
async function unlessRefused<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  return answer.catch((error: unknown) => {
    if (isRefusal(error)) throw error;
    return undefined;
  });
}

/** Milliseconds that a rollback waits for the router's word on the slots. */
const ROLLBACK_LOOK_MS = 500;

function imagesOf(plan: RolloutPlan | undefined): Journal["images"] {
  if (plan === undefined) return {};
  const { stable, stableImage, candidate, image } = plan;
  return { [candidate]: image, ...(stableImage === undefined ? {} : { [stable]: stableImage }) };
}

function reasonOf(event: Happening): string {
  if (event.type === "start") return event.plan.reason;
  if (event.type === "pause") return event.pause.reason;
  return event.type === "rollback" ? event.reason : "";
}

function failureOf(event: Happening, before: Machine, after: Machine): Pick<HistoryEntry, "failure"> {
  if (event.type === "fail") return { failure: event.failure };
  const begins = after.state.name === "rollback" && before.state.name !== "rollback";
  return begins && after.state.failure !== undefined ? { failure: after.state.failure } : {};
}

/** The error of a holder that may not write any more: it has been overtaken, or its lease could not be renewed. */
export function lostLease(cause: unknown): UserError {
  if (!(cause instanceof TakenError || cause instanceof FencedError))
    return new UserError(
      "failed",
      "rollout lease",
      `it could not be renewed in time (${cause instanceof Error ? cause.message : String(cause)}), so this process has stopped writing`,
      "./exai rollout status; where nobody leads it: ./exai rollout resume (or abort)",
      { cause },
    );
  return new UserError(
    "state-conflict",
    "rollout lease",
    "it was lost: another process has taken the rollout over, and this one has stopped writing",
    "./exai rollout status",
    { cause },
  );
}

import type { Weights } from "../../contract/colours.ts";
import { sameTable, type RouteTable } from "../../contract/envoy/routes.ts";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { RolloutContext } from "./context.ts";
import type { SlotStatus } from "./deployer.ts";
import { FencedError } from "./fence.ts";
import type { Verdict } from "./gates.ts";
import { firstJournal, type HistoryEntry, type Journal, type JournalWriter } from "./journal.ts";
import type { Lease } from "./lease.ts";
import {
  evictionsOf,
  reduce,
  stateLabel,
  weightsOf,
  type Machine,
  type Readiness,
  type RolloutEvent,
} from "./machine.ts";
import type { RolloutPlan } from "./plan.ts";
import type { TrafficWriter } from "./traffic/driver.ts";

/** An event without the readiness, which the session adds. */
export type Happening = RolloutEvent extends infer Event
  ? Event extends RolloutEvent
    ? Omit<Event, "ready">
    : never
  : never;

/**
 * One holder's turn at the rollout: the lease, the journal and the routes, changed in the one order that survives a
 * crash at any point: journal first, then the router, then the router's own answer.
 */
export class RolloutSession {
  readonly context: RolloutContext;
  /** Aborted by Ctrl-C and by the loss of the lease. */
  readonly signal: AbortSignal;
  readonly #lease: Lease;
  readonly #journalWriter: JournalWriter;
  readonly #trafficWriter: TrafficWriter;
  #journal: Journal;
  #ready: Readiness | undefined;

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
    this.signal = AbortSignal.any([context.signal, lease.lost]);
  }

  /**
   * Takes the lease for a verb. Where no journal is, the router's own table says which colour has the users.
   *
   * @throws UserError with exit code 3 when somebody else holds the lease.
   */
  static async open(context: RolloutContext, verb: string): Promise<RolloutSession> {
    const lease = await context.leases.acquire(verb);
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

  get machine(): Machine {
    return this.#journal.machine;
  }

  get journal(): Journal {
    return this.#journal;
  }

  /** Looks at the colours anew. */
  async look(): Promise<Readiness> {
    this.#ready = await this.context.traffic.readiness();
    return this.#ready;
  }

  /**
   * Journals what has happened, with the table that the next state needs. The table itself is put in force by
   * {@link enforce}, after the journal is safe.
   *
   * @returns whether the state changed.
   */
  async happened(event: Happening, verdicts: readonly Verdict[] = [], deployed?: SlotStatus): Promise<boolean> {
    const ready = await this.#readinessFor(event);
    const before = this.#journal.machine;
    const after = reduce(before, { ...event, ready });
    const weights = weightsOf(after, ready);
    const table = this.#tableFor(weights, evictionsOf(after));
    if (after === before && table === this.#journal.table) return false;
    const plan = after.plan ?? before.plan;
    const entry: HistoryEntry = {
      sequence: this.#journal.sequence + 1,
      at: new Date().toISOString(),
      who: this.context.who,
      rollout: plan?.id ?? "",
      from: before.state.name,
      to: after.state.name,
      label: stateLabel(after),
      reason: reasonOf(event, before, after),
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
      entry,
    };
    await this.#guarded(() => this.#journalWriter.write(journal));
    this.#journal = journal;
    this.context.announcer?.happened(entry);
    return after !== before;
  }

  /**
   * Reads the router back and puts the journal's table in force where another one is.
   *
   * @returns milliseconds that the change took; 0 when it was in force already.
   */
  async enforce(): Promise<number> {
    const { table } = this.#journal;
    // A router whose table cannot be read is given ours: the writer's own read-back has the last word.
    const present = await this.context.traffic.inForce().catch(() => undefined);
    if (present !== undefined && sameTable(present, table)) return 0;
    return this.#guarded(() => this.#trafficWriter.apply(table, this.signal));
  }

  #tableFor(weights: Weights, evicted: RouteTable["evicted"]): RouteTable {
    const { table } = this.#journal;
    const next: RouteTable = { generation: table.generation + 1, token: this.#lease.token, weights, evicted };
    return sameTable({ ...next, generation: table.generation, token: table.token }, table) ? table : next;
  }

  async #readinessFor(event: Happening): Promise<Readiness> {
    const { plan } = this.machine;
    // A rollback does not wait for a router that is slow to answer; the last look is at most seconds old.
    if (event.type === "fail" && this.#ready !== undefined) return this.#ready;
    try {
      return await this.look();
    } catch (error) {
      if (event.type !== "fail" && event.type !== "rollback") throw error;
      // Blind: the colour that had the users before is the better bet.
      return { blue: plan?.stable === "blue", green: plan?.stable === "green" };
    }
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

function imagesOf(plan: RolloutPlan | undefined): Journal["images"] {
  if (plan === undefined) return {};
  const { stable, stableImage, candidate, image } = plan;
  return { [candidate]: image, ...(stableImage === undefined ? {} : { [stable]: stableImage }) };
}

function reasonOf(event: Happening, before: Machine, after: Machine): string {
  if (event.type === "start") return event.plan.reason;
  if (event.type === "fail" || event.type === "rollback") return event.reason;
  return after.state.name === "rollback" && before.state.name !== "rollback" ? after.state.reason : "";
}

/** The error of a holder that has been overtaken. */
export function lostLease(cause: unknown): UserError {
  return new UserError(
    "rollout lease",
    "it was lost: another process has taken the rollout over, and this one has stopped writing",
    "./exai rollout status",
    EXIT.refused,
    { cause },
  );
}

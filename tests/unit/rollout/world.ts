import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { SLOTS, otherSlot, type Slot } from "../../../contract/slots.ts";
import { FIRST_TABLE, sameTable, type RouteTable } from "../../../contract/envoy/routes.ts";
import { UserError } from "../../../contract/errors.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import type { ControlAnswer, ControlRequest } from "../../../operations/rollout/ports/control.ts";
import { handleState } from "../../../operations/rollout/controller/state-handlers.ts";
import { DEFAULT_GATES } from "../../../operations/rollout/gates/settings.ts";
import type { HistoryEntry, Journal } from "../../../operations/rollout/model/journal.ts";
import { FencedError, type Lease, TakenError } from "../../../operations/rollout/ports/lease.ts";
import type { Readiness } from "../../../operations/rollout/model/machine.ts";
import type { StateRun } from "../../../operations/rollout/controller/state-run.ts";
import type { StateHandler } from "../../../operations/rollout/controller/step-result.ts";

/** What befalls a process at one of its boundaries: the moments just before and just after it changes something. */
export type Fault =
  | "crash"
  | "hang"
  | "refuse"
  | "unready-blue"
  | "unready-green"
  | "request"
  /** The router answers nobody for a while. */
  | "silence"
  /** No image can be had any more. */
  | "no-image";

/** One process: its boundaries are counted, and faults wait for it there. */
export class Process {
  readonly name: string;
  readonly #faults: ReadonlyMap<number, Fault>;
  /** Aborts as Ctrl-C does. */
  readonly stop = new AbortController();
  boundaries = 0;
  dead = false;
  /** A process hangs once; woken, it goes on. */
  hung = false;
  hanging = false;
  /** Whether it is about to change the router's table. */
  applying = false;
  /** What it has last been told of the slots; undefined where it was told nothing. */
  lastLook: Readiness | undefined;

  constructor(name: string, faults: ReadonlyMap<number, Fault> = new Map()) {
    this.name = name;
    this.#faults = faults;
  }

  next(): Fault | undefined {
    this.boundaries += 1;
    return this.#faults.get(this.boundaries);
  }
}

/** How many questions a router leaves unanswered: fewer than a controller asks before it gives up. */
const SILENCE = 6;

class Crash extends Error {}

interface SlotState {
  running: boolean;
  image: string;
  healthy: boolean;
  /** Connections of users that are open there. */
  open: number;
}

/**
 * Router, slots, journal, lease and requests in memory, with their contracts: tokens fence, writes are whole or not at all.
 * It notes every promise that is broken in front of it.
 */
export class World {
  readonly broken: string[] = [];
  readonly slots: Record<Slot, SlotState> = {
    blue: { running: true, image: "one", healthy: true, open: 3 },
    green: { running: true, image: "one", healthy: true, open: 0 },
  };
  journal: Journal | undefined;
  readonly history: HistoryEntry[] = [];
  table: RouteTable = FIRST_TABLE;
  /** Names of the states and phases that were journalled. */
  readonly seen = new Set<string>();
  /** What a fault `request` does: something asked for from another terminal. */
  onRequest: () => void = () => undefined;
  #questions = 0;
  /** Questions that the router will not answer. */
  #silence = 0;
  #images = true;
  #token = 0;
  #fence = 0;
  #holder: { readonly process: Process; readonly verb: string; readonly lost: AbortController } | undefined;
  #requests: ControlRequest[] = [];
  readonly #answers = new Map<string, ControlAnswer>();
  readonly #hung: (() => void)[] = [];

  /** Lets the processes that hang go on. */
  wake(): void {
    for (const go of this.#hung.splice(0)) go();
  }

  /** Somebody fixes what is broken, but for images that are gone. */
  fix(): void {
    this.#silence = 0;
    for (const slot of [this.slots.blue, this.slots.green]) slot.healthy = true;
  }

  get healthy(): Readiness {
    const ready = ({ running, healthy }: SlotState): boolean => running && healthy;
    return { blue: ready(this.slots.blue), green: ready(this.slots.green) };
  }

  /** The context of a process. `handler` replaces the handlers of states that need a network. */
  context(process: Process, prometheusUrl: string, handler: StateHandler): RolloutContext {
    return {
      traffic: {
        inForce: async () => {
          // It may take its time, and then says what is in force by then.
          for (let turn = this.#questions++ % 4; turn > 0; turn -= 1) await turnOfTheLoop();
          return this.#answered(process, () => this.table);
        },
        readiness: () =>
          this.#answered(process, () => {
            process.lastLook = this.healthy;
            return this.healthy;
          }),
        open: () => this.#answered(process, () => this.#open()),
        writer: (lease) =>
          this.#alive(process, () => {
            this.#shutOut(lease);
            return {
              apply: async (table) => {
                this.#promise(!process.applying, "a holder writes one table after the other");
                process.applying = true;
                try {
                  return await this.#change(process, () => {
                    this.#apply(lease, table);
                    this.#hear();
                    return 1;
                  });
                } finally {
                  process.applying = false;
                }
              },
            };
          }),
      },
      journal: {
        read: async () => {
          await this.#boundary(process);
          return structuredClone(this.journal);
        },
        open: (lease) =>
          this.#alive(process, () => {
            this.#shutOut(lease);
            return {
              write: (journal) =>
                this.#change(process, () => {
                  this.#write(process, lease, journal);
                }),
            };
          }),
        history: () => this.#alive(process, () => this.history),
      },
      leases: {
        acquire: (verb) => this.#alive(process, () => this.#lease(process, verb, false)),
        seize: (verb) => this.#alive(process, () => this.#lease(process, verb, true)),
        holder: () =>
          this.#alive(
            process,
            () => this.#living && { who: this.#living.process.name, pid: 1, verb: this.#living.verb },
          ),
      },
      control: {
        patienceSeconds: 0.02,
        post: (request) => this.#alive(process, () => void this.#requests.push(request)),
        take: (rollout) =>
          this.#alive(process, () => this.#requests.splice(0).filter((request) => request.rollout === rollout)),
        withdraw: (id) =>
          this.#alive(process, () => {
            const before = this.#requests.length;
            this.#requests = this.#requests.filter((request) => request.id !== id);
            return this.#requests.length < before;
          }),
        answer: (answer) => this.#alive(process, () => void this.#answers.set(answer.id, answer)),
        answerTo: (id) => this.#alive(process, () => this.#answers.get(id)),
      },
      deployer: {
        deploy: (slot, image) => this.#change(process, () => this.#deploy(slot, image), "awake"),
        drain: (slot) =>
          this.#change(
            process,
            () => {
              this.#drain(slot);
            },
            "awake",
          ),
        status: (slot) => this.#alive(process, () => ({ ...this.slots[slot], id: slot, restarts: 0 })),
      },
      routerUrl: "http://127.0.0.1:9",
      webSocketUrl: "ws://127.0.0.1:9",
      prometheusUrl,
      gates: DEFAULT_GATES,
      deadlines: { readySeconds: 0.02, smokeSeconds: 1, graceSeconds: 0.02 },
      defaults: {},
      signal: process.stop.signal,
      who: process.name,
      sleep: async (_, signal) => {
        await turnOfTheLoop();
        signal.throwIfAborted();
      },
      handler: (run: StateRun, state, plan) =>
        ["ready", "smoke", "migrate", "shift", "approve", "bake"].includes(state.name)
          ? handler(run, state, plan)
          : handleState(run, state, plan),
    };
  }

  get #living() {
    return this.#holder?.process.dead === true ? undefined : this.#holder;
  }

  async #alive<T>(process: Process, act: () => T): Promise<T> {
    await Promise.resolve();
    if (process.dead) throw new Crash("dead");
    return act();
  }

  /** An answer of the router's. */
  async #answered<T>(process: Process, act: () => T): Promise<T> {
    return this.#alive(process, () => {
      this.#hear();
      return act();
    });
  }

  #hear(): void {
    if (this.#silence === 0) return;
    this.#silence -= 1;
    throw new Error("the router does not answer");
  }

  /**
   * Changes something, with a boundary before it and one after it. What knows no token may not fall asleep between the
   * look at the journal that stands for it and the act: no look closes that gap.
   */
  async #change<T>(process: Process, act: () => T, before: "awake" | "any" = "any"): Promise<T> {
    await this.#boundary(process, before);
    const result = act();
    await this.#boundary(process);
    return result;
  }

  async #boundary(process: Process, mood: "awake" | "any" = "any"): Promise<void> {
    await Promise.resolve();
    if (process.dead) throw new Crash("dead");
    const fault = process.next();
    switch (fault) {
      case "crash":
        process.dead = true;
        // A dead process is told nothing any more, and tells nothing.
        process.stop.abort(new Crash("killed"));
        throw new Crash("killed");
      case "hang":
        if (process.hung || mood === "awake") return;
        process.hung = true;
        process.hanging = true;
        await new Promise<void>((go) => this.#hung.push(go));
        process.hanging = false;
        return;
      case "refuse":
        throw new UserError("failed", "world", "no space left", "make room");
      case "unready-blue":
      case "unready-green":
        this.slots[fault === "unready-blue" ? "blue" : "green"].healthy = false;
        return;
      case "request":
        this.onRequest();
        return;
      case "silence":
        this.#silence += SILENCE;
        return;
      case "no-image":
        this.#images = false;
        return;
      case undefined:
    }
  }

  #lease(process: Process, verb: string, seize: boolean): Lease {
    const living = this.#living;
    if (living !== undefined && !seize)
      throw new UserError("state-conflict", "lease", `held by ${living.process.name}`, "wait");
    living?.lost.abort(new TakenError());
    this.#token += 1;
    const lost = new AbortController();
    const holder = { process, verb, lost };
    this.#holder = holder;
    return {
      token: this.#token,
      lost: lost.signal,
      release: () => {
        if (this.#holder === holder) this.#holder = undefined;
        return Promise.resolve();
      },
    };
  }

  #shutOut({ token }: Lease): void {
    if (token < this.#fence) throw new FencedError("superseded");
    this.#fence = token;
  }

  #admit({ token }: Lease): void {
    if (token < this.#fence) throw new FencedError("superseded");
  }

  #write(process: Process, lease: Lease, journal: Journal): void {
    this.#admit(lease);
    const { entry, machine, table } = journal;
    this.#promise(journal.sequence === (this.journal?.sequence ?? 0) + 1, "the journal's writes are numbered");
    this.#promise(table.weights.blue + table.weights.green === 100, "weights sum to 100");
    for (const slot of SLOTS) {
      const before = (this.journal?.table ?? this.table).weights[slot];
      const other = process.lastLook?.[otherSlot(slot)] ?? false;
      if (table.weights[slot] > before && process.lastLook?.[slot] === false)
        this.#promise(!other, `${machine.state.name}: ${slot} gets users and is not ready`);
      if (table.evicted.includes(slot)) this.#promise(table.weights[slot] === 0, `${slot} is evicted and has users`);
      if (machine.emptied.includes(slot)) this.#promise(table.weights[slot] === 0, `${slot} is empty and has users`);
    }
    const { state } = machine;
    this.seen.add("phase" in state ? `${state.name} ${state.phase}` : state.name);
    this.journal = JSON.parse(JSON.stringify(journal)) as Journal;
    if (entry !== undefined) this.history.push(entry);
  }

  #apply(lease: Lease, table: RouteTable): void {
    this.#admit(lease);
    this.#promise(
      this.journal !== undefined && sameTable(this.journal.table, table),
      "a table is journalled before it is in force",
    );
    for (const slot of table.emptied)
      this.#promise(table.evicted.includes(slot), `${slot} is called empty, and no route could say so`);
    // Its users stay connected where they are when new ones go elsewhere.
    for (const slot of SLOTS) if (table.weights[slot] > 0) this.slots[slot].open += 2;
    this.table = table;
  }

  #deploy(slot: Slot, image: string) {
    this.#promise(this.table.weights[slot] === 0 || !this.healthy[slot], `${slot} is deployed and has users`);
    this.#promise(!this.table.emptied.includes(slot), `${slot} is deployed and still called empty on purpose`);
    if (!this.#images) throw new UserError("failed", image, "cannot be had", "push it");
    this.slots[slot] = { running: true, image, healthy: true, open: 0 };
    return { ...this.slots[slot], id: slot, restarts: 0 };
  }

  #drain(slot: Slot): void {
    const { machine, table } = this.journal ?? {};
    this.#promise(this.table.weights[slot] === 0, `${slot} is stopped and has users`);
    this.#promise(table?.evicted.includes(slot) === true, `${slot} is stopped and its sessions are not sent away`);
    const { state } = machine ?? {};
    const emptying = state?.name === "retire" || (state?.name === "rollback" && state.phase === "drain");
    this.#promise(!emptying || this.table.emptied.includes(slot), `${slot} is emptied and not called empty`);
    const planned = state?.name === "deploy" || state?.name === "retire";
    const patient = (machine?.plan?.drainSeconds ?? 0) > 0;
    this.#promise(
      !planned || !patient || this.slots[slot].open === 0,
      `${slot}'s connections are cut before their time`,
    );
    this.slots[slot] = { ...this.slots[slot], running: false, open: 0 };
  }

  /** One more user of a slot without weight leaves with each look. */
  #open() {
    const of = (slot: Slot) => {
      const state = this.slots[slot];
      if (this.table.weights[slot] === 0 && state.open > 0) state.open -= 1;
      return { requests: 0, streams: 0, webSockets: state.open };
    };
    return { blue: of("blue"), green: of("green") };
  }

  #promise(kept: boolean, what: string): void {
    if (!kept) this.broken.push(what);
  }
}

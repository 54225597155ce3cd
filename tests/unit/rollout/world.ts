import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { SLOTS, otherSlot, type Slot } from "../../../contract/slots.ts";
import { TEST_ACCESS } from "../../support/rollout/access.ts";
import { FIRST_TABLE, sameTable, type RouteTable } from "../../../contract/envoy/routes.ts";
import { UserError } from "../../../contract/errors.ts";
import { HOOK_MOMENTS, type HookEnd, type PlannedHook } from "../../../contract/hooks.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import type { ControlAnswer, ControlRequest } from "../../../operations/rollout/ports/control.ts";
import { handleState } from "../../../operations/rollout/controller/state-handlers.ts";
import { DEFAULT_GATES } from "../../../operations/rollout/gates/settings.ts";
import type { HookCall } from "../../../operations/rollout/ports/hooks.ts";
import type { HistoryEntry, Journal } from "../../../operations/rollout/model/journal.ts";
import { FencedError, type Lease, TakenError } from "../../../operations/rollout/ports/lease.ts";
import type { Readiness } from "../../../operations/rollout/model/machine.ts";
import type { StateRun } from "../../../operations/rollout/controller/state-run.ts";
import type { StateHandler } from "../../../operations/rollout/controller/step-result.ts";

/** A fault at a boundary of a process: just before or just after it changes something. */
export type Fault =
  | "crash"
  | "hang"
  | "refuse"
  | "unready-blue"
  | "unready-green"
  | "request"
  /** The router does not answer for a while. */
  | "silence"
  /** Images are no longer available. */
  | "no-image";

/** One process. Its boundaries are counted, and have faults. */
export class Process {
  readonly name: string;
  readonly #faults: ReadonlyMap<number, Fault>;
  /** Aborts as Ctrl-C does. */
  readonly stop = new AbortController();
  boundaries = 0;
  dead = false;
  /** A process hangs once, until {@link World.wake}. */
  hung = false;
  hanging = false;
  /** Whether it is changing the router's table. */
  applying = false;
  /** The last readiness that it has read; undefined before the first. */
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

/** Requests that a silent router does not answer: fewer than a controller's attempts. */
const SILENCE = 6;

class Crash extends Error {}

/** A hook at every moment, named after it. */
export const HOOKS: readonly PlannedHook[] = HOOK_MOMENTS.map((when) => ({
  ...{ name: when, when, timeoutSeconds: 1 },
  onFailure: when.startsWith("before-") ? "rollback" : "note",
}));

interface SlotState {
  running: boolean;
  image: string;
  healthy: boolean;
  /** Connections of users that are open there. */
  open: number;
}

/**
 * Router, slots, journal, lease and requests in memory, with their contracts: tokens fence, writes are atomic. It records every
 * broken invariant.
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
  /** States and phases that were journalled. */
  readonly seen = new Set<string>();
  /** The hooks that cutovers find in the settings. */
  hooks: readonly PlannedHook[] = [];
  /** Names of hooks that refuse. */
  refusing: readonly string[] = [];
  /** The calls of hooks, by rollout, step and name. */
  readonly calls: string[] = [];
  /** Runs whose end is journalled. */
  readonly #ended = new Set<string>();
  /** Attempts of hooks that the journal has had. */
  readonly #begun = new Set<string>();
  /** The effect of a fault `request`: a request of another terminal. */
  onRequest: () => void = () => undefined;
  #questions = 0;
  /** Requests that the router will not answer. */
  #silence = 0;
  #images = true;
  #token = 0;
  #fence = 0;
  #holder: { readonly process: Process; readonly verb: string; readonly lost: AbortController } | undefined;
  #requests: ControlRequest[] = [];
  readonly #answers = new Map<string, ControlAnswer>();
  readonly #hung: (() => void)[] = [];

  /** Continues the processes that hang. */
  wake(): void {
    for (const go of this.#hung.splice(0)) go();
  }

  /** Fixes all faults except missing images. */
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
      access: TEST_ACCESS,
      traffic: {
        inForce: async () => {
          // It may be slow, and then answers with the current table.
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
                    this.#refuseIfSilent();
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
        publish: () => Promise.resolve(),
        lastCheck: () => Promise.resolve(undefined),
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
      hooks: { hooks: this.hooks, run: (call, signal) => this.#hook(process, call, signal) },
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
      handler: (run: StateRun, state, plan) => {
        const network = ["ready", "smoke", "migrate", "shift", "approve", "bake"].includes(state.name);
        const gates = state.name === "hooks" && state.step >= 0;
        return network || gates ? handler(run, state, plan) : handleState(run, state, plan);
      },
    };
  }

  /** A hook runs between two boundaries, so a process may die before, in and after its work. */
  async #hook(process: Process, { rollout, step, hook, attempt }: HookCall, signal: AbortSignal): Promise<HookEnd> {
    await this.#boundary(process);
    signal.throwIfAborted();
    const key = `${rollout.id} ${step} ${hook}`;
    // By all that was written: a request may have left the state since, and then ends the hook.
    this.#promise(this.#begun.has(`${key} ${String(attempt)}`), `${key} runs before it is journalled`);
    this.#promise(!this.#ended.has(key), `${key} has ended and runs again`);
    this.#promise(process === this.#holder?.process, `${key} is begun without the lease`);
    this.calls.push(`${key} ${String(attempt)}`);
    await this.#boundary(process);
    signal.throwIfAborted();
    const fails = this.refusing.includes(hook);
    return { ...(fails ? { outcome: "failed", why: "refused" } : { outcome: "passed", why: "accepted" }), seconds: 0 };
  }

  get #living() {
    return this.#holder?.process.dead === true ? undefined : this.#holder;
  }

  async #alive<T>(process: Process, act: () => T): Promise<T> {
    await Promise.resolve();
    if (process.dead) throw new Crash("dead");
    return act();
  }

  /** An answer of the router. */
  async #answered<T>(process: Process, act: () => T): Promise<T> {
    return this.#alive(process, () => {
      this.#refuseIfSilent();
      return act();
    });
  }

  #refuseIfSilent(): void {
    if (this.#silence === 0) return;
    this.#silence -= 1;
    throw new Error("the router does not answer");
  }

  /**
   * Changes something, with a boundary before and after it. A change that has no token must not hang between the check of the
   * journal and the change: no check closes that gap.
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
        // A dead process gets and sends nothing.
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
    const { state, plan } = machine;
    const { hook } = entry ?? {};
    if (hook?.end !== undefined) this.#ended.add(`${entry?.rollout ?? ""} ${hook.step} ${hook.hook}`);
    else if (hook !== undefined)
      this.#begun.add(`${entry?.rollout ?? ""} ${hook.step} ${hook.hook} ${String(hook.attempt)}`);
    const first = plan !== undefined && state.name === "shift" && this.journal?.machine.state.name !== "shift";
    for (const { name, when, onFailure } of first ? (plan.hooks ?? []) : []) {
      const step = `shift-${String(plan?.steps[state.name === "shift" ? state.step : 0])}`;
      const run = machine.hooks?.find((each) => each.hook === name && each.step === step);
      const may = run?.end !== undefined && (run.end.outcome === "passed" || onFailure === "note");
      this.#promise(when !== "before-step" || may, `${step} begins without its hook ${name}`);
    }
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
      this.#promise(table.evicted.includes(slot), `${slot} is listed as empty, but its routes do not show it`);
    // Open connections stay on their slot when the weights change.
    for (const slot of SLOTS) if (table.weights[slot] > 0) this.slots[slot].open += 2;
    this.table = table;
  }

  #deploy(slot: Slot, image: string) {
    this.#promise(this.table.weights[slot] === 0 || !this.healthy[slot], `${slot} is deployed and has users`);
    this.#promise(!this.table.emptied.includes(slot), `${slot} is deployed and still listed as empty`);
    if (!this.#images) throw new UserError("failed", image, "is not available", "push it");
    this.slots[slot] = { running: true, image, healthy: true, open: 0 };
    return { ...this.slots[slot], id: slot, restarts: 0 };
  }

  #drain(slot: Slot): void {
    const { machine, table } = this.journal ?? {};
    this.#promise(this.table.weights[slot] === 0, `${slot} is stopped and has users`);
    this.#promise(table?.evicted.includes(slot) === true, `${slot} is stopped and its sessions are not sent away`);
    const { state } = machine ?? {};
    const emptying = state?.name === "retire" || (state?.name === "rollback" && state.phase === "drain");
    this.#promise(!emptying || this.table.emptied.includes(slot), `${slot} is emptied and not listed as empty`);
    const planned = state?.name === "deploy" || state?.name === "retire";
    const patient = (machine?.plan?.drainSeconds ?? 0) > 0;
    this.#promise(
      !planned || !patient || this.slots[slot].open === 0,
      `${slot}'s connections are cut before their time`,
    );
    this.slots[slot] = { ...this.slots[slot], running: false, open: 0 };
  }

  /** One user of a slot without weight leaves with each read. */
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

import { ENVOY_SCRAPE_INTERVAL_SECONDS } from "../../../contract/envoy/metrics.ts";
import { LATENCY_BUCKETS_SECONDS } from "../../../contract/server.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { judge } from "../gates/judge.ts";
import type { Observation } from "../gates/observation.ts";
import { MEMORY_WITHOUT_SAMPLES, memoryGate } from "../gates/memory.ts";
import { probeRate } from "../gates/probe-rate.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { together } from "../model/verdict.ts";
import { Prober } from "../probes/http.ts";
import { Prometheus, type Series } from "../gates/prometheus.ts";
import { QueryGates, unavailable } from "../gates/custom-queries.ts";
import type { Baseline } from "./gate-memory.ts";
import type { StateRun } from "./state-run.ts";
import { added, trafficOf, TRAFFIC_SELECTOR, type Traffic } from "../gates/traffic-samples.ts";
import { RoundTripProber } from "../probes/websocket.ts";

/**
 * Seconds after which the tests start again, with the samples of the last one to two such epochs: a pause or an approval may
 * last for hours, and is judged by its last minutes.
 */
const EPOCH_SECONDS = 150;

/** Seconds before the rollout in which the stable slot's latency with all users is measured. */
const BEFORE_SECONDS = 60;

/** Connections that probe WebSockets: while round trips are missing, and afterwards. */
const CONNECTIONS = { missing: 3, enough: 1 } as const;

/** The history cannot be read now: "no data", as when Prometheus does not answer. */
class HistoryError extends Error {
  override readonly name = "HistoryError";
}

/** The gates of one step: adds probes to thin traffic, evaluates the gates, and has the step's deadline. */
export class StepGates {
  readonly #run: StateRun;
  readonly #plan: RolloutPlan;
  readonly #holdSeconds: number;
  readonly #prometheus: Prometheus;
  readonly #queries: QueryGates;
  readonly #prober: Prober;
  /** Seconds of a monotonic clock, like all times here; {@link StepGates.check} reads Prometheus' clock. */
  readonly #startedAt = seconds();
  readonly #usersOnBoth: boolean;
  #roundTrips: RoundTripProber | undefined;
  /** The traffic of the period in which both slots had users, once that period is over. */
  #seen: Traffic | undefined;
  /** Seconds in which the stable slot had the same problem. */
  #sharedSeconds = 0;
  #checkedAt = seconds();
  #waitingSince = seconds();
  #passed = false;
  #stopped = false;

  /** Starts probing at once; {@link stop} ends it. */
  constructor(run: StateRun, plan: RolloutPlan, holdSeconds: number) {
    const { access, gates, prometheusUrl, routerUrl } = run.context;
    this.#run = run;
    this.#plan = plan;
    this.#holdSeconds = holdSeconds;
    this.#prometheus = new Prometheus(prometheusUrl);
    this.#queries = new QueryGates(this.#prometheus, gates.queries, plan.candidate);
    this.#prober = new Prober(routerUrl, access, [plan.candidate, plan.stable]);
    const { weights } = run.journal.table;
    this.#usersOnBoth = weights[plan.stable] > 0 && weights[plan.candidate] > 0;
    this.#aim([]);
  }

  /** Seconds that the step may last without a pass, from its start or its last pass. */
  get deadlineSeconds(): number {
    const { noDataSeconds, sharedProblemSeconds } = this.#run.context.gates;
    const shared = Math.min(sharedProblemSeconds, this.#sharedSeconds);
    return (this.#passed ? 0 : this.#holdSeconds) + noDataSeconds + Math.round(shared);
  }

  /** Whether that deadline has passed. */
  get expired(): boolean {
    return seconds() - this.#waitingSince >= this.deadlineSeconds;
  }

  /** Probes sent to each slot so far. */
  get probes(): number {
    return this.#prober.sent;
  }

  /** Evaluates the gates now. A Prometheus that does not answer is "no data". May be called at any time. */
  async check(): Promise<readonly Verdict[]> {
    const verdicts = await this.#verdicts();
    const now = seconds();
    const open = verdicts.filter(({ verdict }) => verdict !== "pass");
    if (open.length > 0 && open.every((verdict) => verdict.shared === true))
      this.#sharedSeconds += now - this.#checkedAt;
    this.#checkedAt = now;
    if (together(verdicts) === "pass") {
      [this.#passed, this.#waitingSince, this.#sharedSeconds] = [true, now, 0];
    }
    return verdicts;
  }

  /** Ends the probes. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.#prober.stop(), this.#roundTrips?.stop()]);
  }

  async #verdicts(): Promise<readonly Verdict[]> {
    const { gates } = this.#run.context;
    const { candidate, stable } = this.#plan;
    try {
      const now = await this.#prometheus.now();
      const offset = now - seconds();
      const startedAt = this.#startedAt + offset;
      const step = epochOf(startedAt, now);
      const { firstShiftAt, before } = await this.#baseline(offset);
      // Once the candidate has all users, the comparison of the slots stays the one of that moment.
      const seenUntil = this.#usersOnBoth ? now : startedAt;
      const both = epochOf(firstShiftAt + offset, seenUntil);
      const earliest = this.#seen === undefined ? Math.min(step.since, both.since) : step.since;
      const [series, queries] = await Promise.all([
        this.#prometheus.samples(TRAFFIC_SELECTOR, now - earliest + ENVOY_SCRAPE_INTERVAL_SECONDS),
        this.#queries.check(),
      ]);
      const seen = this.#seen ?? trafficOf(series, both.since, seenUntil);
      if (!this.#usersOnBoth) this.#seen = seen;
      const roundTripLimit = limitFrom(gates.webSocketMilliseconds, this.#roundTrips?.networkDelay ?? 0);
      const roundTrips = this.#roundTrips?.since(step.since - offset, roundTripLimit) ?? [];
      const probes = this.#prober.answers(step.since - offset);
      const refusal = this.#roundTrips?.refusal(stable);
      const observation: Observation = {
        step: { traffic: trafficOf(series, step.since, now), epoch: step.epoch },
        both: { traffic: seen, epoch: both.epoch },
        roundTripLimit,
        roundTrips,
        ...(refusal === undefined ? {} : { refusal }),
        probes,
        retiresKey: this.#plan.retiresKey === true,
        health: this.#prober.health(candidate, step.since - offset),
        ...(before === undefined ? {} : { before }),
      };
      const verdicts = [...judge(gates, candidate, observation), ...this.#memory(series, earliest)];
      this.#aim(verdicts);
      return [...verdicts, ...queries];
    } catch (error) {
      if (!(error instanceof HistoryError)) return [unavailable("data", error)];
      const context = { message: error.message };
      return [{ gate: "data", verdict: "no-data", why: "history-unavailable", test: "none", context }];
    }
  }

  /** What is read once: when both slots first had users, and the stable slot's traffic before the rollout. */
  async #baseline(offset: number): Promise<Baseline> {
    const memory = this.#run.gateMemory;
    if (memory.baseline !== undefined) return memory.baseline;
    const { id, stable, startedAt } = this.#plan;
    const entries = await this.#run.context.journal.history().catch((error: unknown) => {
      throw new HistoryError(error instanceof Error ? error.message : String(error));
    });
    const first = entries.find((entry) => entry.rollout === id && entry.to === "shift");
    // Not later than this step, even if the journal's clock was wrong.
    const firstShiftAt = Math.min(this.#startedAt, first === undefined ? Infinity : fromWall(first.at));
    const until = fromWall(startedAt) + offset;
    const series = await this.#prometheus.samples(TRAFFIC_SELECTOR, BEFORE_SECONDS, until);
    const own = trafficOf(series, until - BEFORE_SECONDS, until).bins.map(({ of }) => of[stable]);
    const sum = (key: "handled" | "cpuSeconds"): number => own.reduce((total, counts) => total + counts[key], 0);
    const latency = added(own.map((counts) => counts.latency));
    memory.baseline = {
      firstShiftAt,
      before: { handled: sum("handled"), cpuSeconds: sum("cpuSeconds"), latency },
    };
    return memory.baseline;
  }

  /** A trend of memory needs more time than most steps, so it is only required where the rollout would end without it. */
  #memory(series: readonly Series[], since: number): readonly Verdict[] {
    const { memoryGrowth } = this.#run.context.gates;
    if (memoryGrowth === 0) return [];
    const verdict = memoryGate(series, this.#plan.candidate, memoryGrowth, since);
    if (verdict !== undefined) return [verdict];
    if (this.#usersOnBoth) return [];
    return [MEMORY_WITHOUT_SAMPLES];
  }

  #aim(verdicts: readonly Verdict[]): void {
    const { gates } = this.#run.context;
    const need = { verdicts, holdSeconds: this.#holdSeconds, usersOnBoth: this.#usersOnBoth };
    this.#prober.aim(probeRate(gates, need));
    if (gates.probesPerSecond === 0) return;
    const enough = samplesOf(verdicts, "websocket") >= gates.minimumRoundTrips;
    this.#probeWebSockets(enough ? CONNECTIONS.enough : CONNECTIONS.missing);
  }

  #probeWebSockets(connections: number): void {
    if (this.#stopped) return;
    const { access, webSocketUrl, webSocketToken, gates } = this.#run.context;
    this.#roundTrips ??= new RoundTripProber({
      webSocketUrl,
      access,
      stable: this.#plan.stable,
      message: gates.webSocketMessage,
      ...(webSocketToken === undefined ? {} : { token: webSocketToken }),
    });
    this.#roundTrips.aim(connections);
  }
}

function seconds(): number {
  return performance.now() / 1000;
}

/** A time of the journal (ISO 8601, wall clock) on the clock of {@link seconds}. */
function fromWall(at: string): number {
  return seconds() - (Date.now() - Date.parse(at)) / 1000;
}

/** Number of the current test, from 1, and the start of its samples in seconds since 1970. */
function epochOf(startedAt: number, now: number): { readonly epoch: number; readonly since: number } {
  const epoch = Math.max(1, Math.floor((now - startedAt) / EPOCH_SECONDS));
  return { epoch, since: startedAt + (epoch - 1) * EPOCH_SECONDS };
}

/** The limit of round trips for probes with a high network delay: the next bound of the server's histogram above both. */
function limitFrom(limit: number, networkDelay: number): number {
  if (!Number.isFinite(networkDelay) || networkDelay < limit / 4) return limit;
  return (
    1000 *
    (LATENCY_BUCKETS_SECONDS.find((bound) => bound * 1000 >= limit + networkDelay) ??
      LATENCY_BUCKETS_SECONDS.at(-1) ??
      0)
  );
}

/** The candidate's samples of a gate. */
function samplesOf(verdicts: readonly Verdict[], gate: string): number {
  return verdicts.find((verdict) => verdict.gate === gate)?.sample?.candidate.trials ?? 0;
}

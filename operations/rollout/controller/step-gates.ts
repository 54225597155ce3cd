import { ENVOY_SCRAPE_INTERVAL_SECONDS } from "../../../contract/envoy/metrics.ts";
import { LATENCY_BUCKETS_SECONDS } from "../../../contract/server.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import type { GateSettings } from "../gates/settings.ts";
import { judge } from "../gates/judge.ts";
import type { Observation } from "../gates/observation.ts";
import { MEMORY_WITHOUT_SAMPLES, memoryGate } from "../gates/memory.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { together } from "../model/verdict.ts";
import { Prober } from "../probes/http.ts";
import { Prometheus, type Series } from "../gates/prometheus.ts";
import { QueryGates, unavailable } from "../gates/custom-queries.ts";
import type { RolloutSession } from "./store.ts";
import { added, trafficOf, TRAFFIC_SELECTOR, type Traffic } from "../gates/traffic-samples.ts";
import { RoundTripProber } from "../probes/websocket.ts";

/**
 * Seconds after which the tests start again; each covers one to two such epochs. A step that lasts for hours, in a pause or for
 * an approval, is judged by its last minutes.
 */
const EPOCH_SECONDS = 150;

/** Seconds before the rollout over which the stable slot's latency with all users is read. */
const BEFORE_SECONDS = 60;

/** Probes per second and slot that continue as a control if the stable slot has no users. */
const CONTROL_PER_SECOND = 5;

/** Connections that probe WebSockets while round trips are missing, and afterwards. */
const CONNECTIONS = { missing: 3, enough: 1 } as const;

/** Read once and kept for the session's later steps, so that a clock that jumps does not move it. */
interface Beginning {
  readonly firstShiftAt: number;
  readonly before: Observation["before"];
}

/**
 * Sessions whose stable slot has refused probes. Once is enough as long as their requests are compared: the router and the
 * servers do not distinguish probes from users.
 */
const REFUSED_PROBES = new WeakSet<RolloutSession>();

const BEGINNINGS = new WeakMap<RolloutSession, Beginning>();

/** The history cannot be read now: "no data", as when Prometheus does not answer. */
class HistoryError extends Error {
  override readonly name = "HistoryError";
}

/** The gates of one step: tops up thin traffic, judges at each check, and knows the step's deadline. */
export class StepGates {
  readonly #session: RolloutSession;
  readonly #plan: RolloutPlan;
  readonly #holdSeconds: number;
  readonly #prometheus: Prometheus;
  readonly #queries: QueryGates;
  readonly #prober: Prober;
  /** Seconds of a monotonic clock, like all times kept here; {@link StepGates.check} reads Prometheus' clock. */
  readonly #startedAt = seconds();
  readonly #usersOnBoth: boolean;
  /** The candidate's largest share of new requests while both had users, until now. */
  readonly #weight: number;
  #roundTrips: RoundTripProber | undefined;
  /** When both slots first had users. */
  #firstShiftAt: number | undefined;
  #before: Observation["before"];
  /** Traffic while both slots had users, if that is over. */
  #seen: Traffic | undefined;
  /** Seconds in which the stable slot had the same problem. */
  #sharedSeconds = 0;
  #checkedAt = seconds();
  #waitingSince = seconds();
  #passed = false;
  #stopped = false;

  /** Begins to probe at once; {@link stop} ends it. */
  constructor(session: RolloutSession, plan: RolloutPlan, holdSeconds: number) {
    const { gates, prometheusUrl, routerUrl } = session.context;
    this.#session = session;
    this.#plan = plan;
    this.#holdSeconds = holdSeconds;
    this.#prometheus = new Prometheus(prometheusUrl);
    this.#queries = new QueryGates(this.#prometheus, gates.queries, plan.candidate);
    this.#prober = new Prober(routerUrl, [plan.candidate, plan.stable]);
    const { weights } = session.journal.table;
    this.#usersOnBoth = weights[plan.stable] > 0 && weights[plan.candidate] > 0;
    const shared = plan.steps.filter((step) => step < 100);
    this.#weight = (this.#usersOnBoth ? weights[plan.candidate] : Math.max(0, ...shared)) / 100;
    this.#aim(0, false);
  }

  /** Seconds that the step may last without a pass, from its start or its last pass. */
  get deadlineSeconds(): number {
    const { noDataSeconds, sharedTroubleSeconds } = this.#session.context.gates;
    const shared = Math.min(sharedTroubleSeconds, this.#sharedSeconds);
    return (this.#passed ? 0 : this.#holdSeconds) + noDataSeconds + Math.round(shared);
  }

  /** Whether the gates have been without a pass for too long. */
  get expired(): boolean {
    return seconds() - this.#waitingSince >= this.deadlineSeconds;
  }

  /** Probes sent to each slot so far. */
  get probes(): number {
    return this.#prober.sent;
  }

  /** The present verdicts; "no data" if Prometheus does not answer. Any number of calls keeps the tests' levels. */
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
    const { gates } = this.#session.context;
    const { candidate, stable } = this.#plan;
    try {
      const now = await this.#prometheus.now();
      const ahead = now - seconds();
      const startedAt = this.#startedAt + ahead;
      const step = epochOf(startedAt, now);
      await this.#prepare(ahead);
      // With all users on the candidate, the earlier traffic of both stays the one compared, for any time of the bake.
      const seenUntil = this.#usersOnBoth ? now : startedAt;
      const both = epochOf((this.#firstShiftAt ?? this.#startedAt) + ahead, seenUntil);
      const earliest = this.#seen === undefined ? Math.min(step.since, both.since) : step.since;
      const [series, queries] = await Promise.all([
        this.#prometheus.samples(TRAFFIC_SELECTOR, now - earliest + ENVOY_SCRAPE_INTERVAL_SECONDS),
        this.#queries.check(),
      ]);
      const seen = this.#seen ?? trafficOf(series, both.since, seenUntil);
      if (!this.#usersOnBoth) this.#seen = seen;
      const roundTripLimit = limitFrom(gates.webSocketMilliseconds, this.#roundTrips?.networkDelay ?? 0);
      const roundTrips = this.#roundTrips?.since(step.since - ahead, roundTripLimit) ?? [];
      const probes = this.#prober.answers(step.since - ahead);
      if ([...roundTrips, ...probes].some((bin) => bin[stable].refused > 0)) REFUSED_PROBES.add(this.#session);
      const refusal = this.#roundTrips?.refusal(stable);
      const observation: Observation = {
        step: { traffic: trafficOf(series, step.since, now), epoch: step.epoch },
        both: { traffic: seen, epoch: both.epoch, weight: this.#weight },
        roundTripLimit,
        roundTrips,
        ...(refusal === undefined ? {} : { refusal }),
        probes,
        retiresKey: this.#plan.retiresKey === true,
        probesRefused: REFUSED_PROBES.has(this.#session),
        health: this.#prober.health(candidate, step.since - ahead),
        ...(this.#before === undefined ? {} : { before: this.#before }),
      };
      const verdicts = [...judge(gates, candidate, observation), ...this.#memory(series, earliest)];
      this.#aim(
        samplesOf(verdicts, "errors"),
        verdicts.some((verdict) => undecided(verdict, gates)),
        samplesOf(verdicts, "websocket"),
      );
      return [...verdicts, ...queries];
    } catch (error) {
      if (!(error instanceof HistoryError)) return [unavailable("data", error)];
      const context = { message: error.message };
      return [{ gate: "data", verdict: "no-data", why: "history-unavailable", test: "none", context }];
    }
  }

  /** Reads once when both slots first had users, and the stable slot's traffic before. */
  async #prepare(ahead: number): Promise<void> {
    const kept = BEGINNINGS.get(this.#session);
    if (kept !== undefined) [this.#firstShiftAt, this.#before] = [kept.firstShiftAt, kept.before];
    if (this.#before !== undefined) return;
    const { id, stable, startedAt } = this.#plan;
    const entries = await this.#session.context.journal.history().catch((error: unknown) => {
      throw new HistoryError(error instanceof Error ? error.message : String(error));
    });
    const first = entries.find((entry) => entry.rollout === id && entry.to === "shift");
    // At most the start of this step, for any clock of the journal.
    const firstShiftAt = Math.min(this.#startedAt, first === undefined ? Infinity : fromWall(first.at));
    const until = fromWall(startedAt) + ahead;
    const series = await this.#prometheus.samples(TRAFFIC_SELECTOR, BEFORE_SECONDS, until);
    const own = trafficOf(series, until - BEFORE_SECONDS, until).bins.map(({ of }) => of[stable]);
    const sum = (key: "requests" | "cpuSeconds"): number => own.reduce((total, counts) => total + counts[key], 0);
    const latency = added(own.map((counts) => counts.latency));
    const before = { requests: sum("requests"), cpuSeconds: sum("cpuSeconds"), latency };
    [this.#firstShiftAt, this.#before] = [firstShiftAt, before];
    BEGINNINGS.set(this.#session, { firstShiftAt, before });
  }

  /** Memory needs more time than a step may last, so samples are required only in the last one. */
  #memory(series: readonly Series[], since: number): readonly Verdict[] {
    const { memoryGrowth } = this.#session.context.gates;
    if (memoryGrowth === 0) return [];
    const verdict = memoryGate(series, this.#plan.candidate, memoryGrowth, since);
    if (verdict !== undefined) return [verdict];
    if (this.#usersOnBoth) return [];
    return [MEMORY_WITHOUT_SAMPLES];
  }

  /**
   * Probes as long as samples are missing or a suspicion is not resolved: enough per second for the minimum within most of the
   * hold, since the last ones are scraped late. A stable slot without users is probed as a control.
   */
  #aim(samples: number, suspicion: boolean, roundTrips = 0): void {
    const { minimumSamples, minimumRoundTrips, probesPerSecond } = this.#session.context.gates;
    const missing = Math.ceil(minimumSamples / Math.max(this.#holdSeconds * 0.6, 1));
    const wanted = suspicion
      ? probesPerSecond
      : samples < minimumSamples
        ? missing
        : this.#usersOnBoth
          ? 0
          : CONTROL_PER_SECOND;
    this.#prober.aim(Math.min(probesPerSecond, wanted));
    if (probesPerSecond > 0) {
      this.#probeWebSockets(roundTrips < minimumRoundTrips ? CONNECTIONS.missing : CONNECTIONS.enough);
    }
  }

  #probeWebSockets(connections: number): void {
    if (this.#stopped) return;
    const { webSocketUrl, webSocketToken, gates } = this.#session.context;
    this.#roundTrips ??= new RoundTripProber({
      webSocketUrl,
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

/** Converts a moment of the wall clock (ISO 8601) to the clock of {@link seconds}. */
function fromWall(at: string): number {
  return seconds() - (Date.now() - Date.parse(at)) / 1000;
}

/** The number of the test that runs now, from 1, and since when it counts, in seconds since 1970. */
function epochOf(startedAt: number, now: number): { readonly epoch: number; readonly since: number } {
  const epoch = Math.max(1, Math.floor((now - startedAt) / EPOCH_SECONDS));
  return { epoch, since: startedAt + (epoch - 1) * EPOCH_SECONDS };
}

/** The limit of round trips with a long network delay: the next bound of the server's histogram above both together. */
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

/** Whether more requests would decide: a comparison, or a limit that is exceeded by enough samples without significance. */
function undecided({ gate, verdict, sample }: Verdict, { minimumSamples }: GateSettings): boolean {
  if (verdict !== "no-data") return false;
  return gate.endsWith("-compared") || (gate === "errors" && (sample?.candidate.trials ?? 0) >= minimumSamples);
}

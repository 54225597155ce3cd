import { askGates, type GateSettings, type StepFacts, type Verdict } from "./gates.ts";
import type { RolloutPlan } from "./plan.ts";
import { Prober } from "./probes.ts";
import { Prometheus, PrometheusError } from "./prometheus.ts";
import type { RolloutSession } from "./session.ts";

/** The gates of one step: tops up thin traffic, asks Prometheus at each look, and says when the step's patience ends. */
export class StepGates {
  readonly #session: RolloutSession;
  readonly #plan: RolloutPlan;
  readonly #holdSeconds: number;
  readonly #prometheus: Prometheus;
  readonly #probers: readonly Prober[];
  readonly #since = Date.now();
  readonly #facts: StepFacts;

  /** Begins to probe at once; {@link stop} ends it. */
  constructor(session: RolloutSession, plan: RolloutPlan, holdSeconds: number) {
    const { gates, prometheusUrl, routerUrl } = session.context;
    this.#session = session;
    this.#plan = plan;
    this.#holdSeconds = holdSeconds;
    this.#prometheus = new Prometheus(prometheusUrl);
    // The stable colour is the control: what both suffer from is not the candidate's fault, also when it has no users.
    this.#probers = [plan.candidate, plan.stable].map((colour) => new Prober(routerUrl, colour));
    for (const each of this.#probers) each.aim(probeRate(gates, holdSeconds));
    this.#facts = {
      looks: Math.max(1, Math.ceil(this.deadlineSeconds / gates.lookSeconds)),
      usersOnBoth: session.journal.table.weights[plan.stable] > 0,
    };
  }

  /** Seconds after the step's begin at which gates that have not passed end it. */
  get deadlineSeconds(): number {
    return this.#holdSeconds + this.#session.context.gates.noDataSeconds;
  }

  /** Probes sent to the candidate so far. */
  get probes(): number {
    return this.#probers[0]?.sent ?? 0;
  }

  /** The verdicts now. A Prometheus that does not answer is no data. May be called as often and as long as one likes. */
  async look(): Promise<readonly Verdict[]> {
    const { gates } = this.#session.context;
    let verdicts: readonly Verdict[];
    try {
      verdicts = await askGates(this.#prometheus, gates, this.#plan.candidate, this.#since, this.#facts);
    } catch (error) {
      if (!(error instanceof PrometheusError)) throw error;
      return [{ gate: "data", outcome: "no-data", detail: error.message, figures: {} }];
    }
    if (requestsOf(verdicts) >= gates.minimumSamples) for (const each of this.#probers) each.aim(0);
    return verdicts;
  }

  /** Ends the probes. */
  async stop(): Promise<void> {
    await Promise.all(this.#probers.map((each) => each.stop()));
  }
}

/** The candidate's requests on this step, as far as the gates know them. */
function requestsOf(verdicts: readonly Verdict[]): number {
  const counts = verdicts.flatMap((verdict) => verdict.figures.requests ?? []);
  return counts.length === 0 ? 0 : Math.min(...counts);
}

/**
 * Probes per second: enough for the minimum of samples within most of the hold, since what is sent last is scraped late.
 * They stop as soon as the gates have that many, from users or from probes.
 */
function probeRate(gates: GateSettings, holdSeconds: number): number {
  return Math.min(gates.probesPerSecond, Math.ceil(gates.minimumSamples / Math.max(holdSeconds * 0.6, 1)));
}

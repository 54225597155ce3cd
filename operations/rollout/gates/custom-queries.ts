import { otherSlot, type Slot } from "../../../contract/slots.ts";
import { SLOT_PLACEHOLDER, type GateQuery } from "../../../contract/gates.ts";
import type { Verdict } from "./settings.ts";
import { PrometheusError, type Prometheus } from "./prometheus.ts";

/** Looks in a row at which a value must break its rule before the gate fails: a value of a moment may be chance. */
const FAILING_LOOKS = 3;

/** The gates of the user's own. */
export class QueryGates {
  readonly #prometheus: Prometheus;
  readonly #queries: readonly GateQuery[];
  readonly #candidate: Slot;
  readonly #broken = new Map<string, number>();

  constructor(prometheus: Prometheus, queries: readonly GateQuery[], candidate: Slot) {
    this.#prometheus = prometheus;
    this.#queries = queries;
    this.#candidate = candidate;
  }

  /** A verdict for each query, now. */
  look(): Promise<readonly Verdict[]> {
    return Promise.all(this.#queries.map((query) => this.#ask(query)));
  }

  async #ask(query: GateQuery): Promise<Verdict> {
    const values = (slot: Slot): Promise<readonly number[]> =>
      this.#prometheus.values(query.query.replaceAll(SLOT_PLACEHOLDER, slot));
    let judged: Verdict;
    try {
      const stable = query.stableRatio === undefined ? [] : values(otherSlot(this.#candidate));
      judged = judgeQuery(query, ...(await Promise.all([values(this.#candidate), stable])));
    } catch (error) {
      if (!(error instanceof PrometheusError)) throw error;
      return { gate: query.name, outcome: "no-data", detail: error.message, figures: {} };
    }
    const broken = judged.outcome === "fail" ? (this.#broken.get(query.name) ?? 0) + 1 : 0;
    this.#broken.set(query.name, broken);
    if (broken === 0 || broken >= FAILING_LOOKS) return judged;
    const detail = `${judged.detail}, on ${String(broken)} of ${String(FAILING_LOOKS)} looks`;
    return { ...judged, outcome: "no-data", detail };
  }
}

/**
 * One query's verdict on the values of a moment; pure. It fails a candidate that breaks the limit, unless the stable
 * slot does so as well and the candidate keeps to the ratio, and one that breaks the ratio.
 */
export function judgeQuery(query: GateQuery, own: readonly number[], stable: readonly number[]): Verdict {
  const { name: gate, comparison, limit, stableRatio } = query;
  const smaller = comparison.startsWith("<");
  const worst = (values: readonly number[]): number => (smaller ? Math.max(...values) : Math.min(...values));
  const known = (values: readonly number[]): boolean => values.length > 0 && !values.some(Number.isNaN);
  if (!known(own)) return { gate, outcome: "no-data", detail: "the query yields nothing", figures: {} };
  const value = worst(own);
  const keeps = comparisonHolds(comparison, value, limit);
  const sentence = `${value.toPrecision(3)} ${keeps ? "" : "is not "}${comparison} ${String(limit)}`;
  if (stableRatio === undefined) {
    return { gate, outcome: keeps ? "pass" : "fail", detail: sentence, figures: { value, limit } };
  }
  if (!known(stable)) {
    const outcome = keeps ? "no-data" : "fail";
    return {
      gate,
      outcome,
      detail: `${sentence}, and the query yields nothing for the stable slot`,
      figures: { value, limit },
    };
  }
  const control = worst(stable);
  const figures = { value, limit, stable: control, ratio: stableRatio };
  const detail = `${sentence}, on the stable slot ${control.toPrecision(3)} (ratio ${String(stableRatio)})`;
  const alike = smaller ? value <= stableRatio * control : value >= stableRatio * control;
  if (!alike) return { gate, outcome: "fail", detail, figures };
  return keeps
    ? { gate, outcome: "pass", detail, figures }
    : { gate, outcome: "no-data", detail, figures, shared: true };
}

function comparisonHolds(comparison: GateQuery["comparison"], value: number, limit: number): boolean {
  switch (comparison) {
    case "<":
      return value < limit;
    case "<=":
      return value <= limit;
    case ">":
      return value > limit;
    case ">=":
      return value >= limit;
  }
}

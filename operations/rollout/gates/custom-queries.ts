import { SLOT_PLACEHOLDER, type GateQuery } from "../../../contract/gates.ts";
import { otherSlot, type Slot } from "../../../contract/slots.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { PrometheusError, type Prometheus } from "./prometheus.ts";

/** Checks in a row in which a value must break its rule before the gate fails: one value may be chance. */
const FAILING_CHECKS = 3;

/** The custom gates of a stack. */
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
  check(): Promise<readonly Verdict[]> {
    return Promise.all(this.#queries.map((query) => this.#check(query)));
  }

  async #check(query: GateQuery): Promise<Verdict> {
    const values = (slot: Slot): Promise<readonly number[]> =>
      this.#prometheus.values(query.query.replaceAll(SLOT_PLACEHOLDER, slot));
    let judged: Verdict;
    try {
      const stable = query.stableRatio === undefined ? [] : values(otherSlot(this.#candidate));
      judged = judgeQuery(query, ...(await Promise.all([values(this.#candidate), stable])));
    } catch (error) {
      return unavailable(query.name, error);
    }
    const checks = judged.verdict === "fail" ? (this.#broken.get(query.name) ?? 0) + 1 : 0;
    this.#broken.set(query.name, checks);
    if (checks === 0 || checks >= FAILING_CHECKS) return judged;
    const context = { ...judged.context, checks, failingChecks: FAILING_CHECKS };
    return { ...judged, verdict: "no-data", why: "not-repeated", context };
  }
}

/**
 * The verdict where Prometheus does not answer.
 *
 * @throws any other error
 */
export function unavailable(gate: string, error: unknown): Verdict {
  if (!(error instanceof PrometheusError)) throw error;
  const { why, url, detail: message } = error;
  return { gate, verdict: "no-data", why, test: "none", context: { url, message } };
}

/**
 * One query's verdict on its present values; pure. The candidate fails if it breaks the ratio. It also fails if it breaks the
 * limit, unless the stable slot breaks it as well and the candidate keeps the ratio.
 */
export function judgeQuery(query: GateQuery, own: readonly number[], stable: readonly number[]): Verdict {
  const { name: gate, comparison, limit, stableRatio } = query;
  const smaller = comparison.startsWith("<");
  const worst = (values: readonly number[]): number => (smaller ? Math.max(...values) : Math.min(...values));
  const known = (values: readonly number[]): boolean => values.length > 0 && !values.some(Number.isNaN);
  const common = { gate, limit, comparison, unit: "value", test: "none" } as const;
  if (!known(own)) return { ...common, verdict: "no-data", why: "no-value" };
  const figure = worst(own);
  const measured = { ...common, figure };
  const keeps = comparisonHolds(comparison, figure, limit);
  const failed = { ...measured, verdict: "fail", why: smaller ? "above-limit" : "below-limit" } as const;
  const passed = { ...measured, verdict: "pass", why: "within-limit" } as const;
  if (stableRatio === undefined) return keeps ? passed : failed;
  if (!known(stable))
    return keeps ? { ...measured, verdict: "no-data", why: "no-stable-value", context: { stableRatio } } : failed;
  const control = worst(stable);
  const context = { stableFigure: control, stableRatio };
  const keepsRatio = smaller ? figure <= stableRatio * control : figure >= stableRatio * control;
  if (!keepsRatio) return { ...measured, verdict: "fail", why: "worse-than-stable", context };
  return keeps
    ? { ...passed, context }
    : { ...measured, verdict: "no-data", why: "shared-with-stable", shared: true, context };
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

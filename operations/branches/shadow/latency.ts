/** Milliseconds of statements on the two sides. */
export interface Latency {
  readonly p50: number;
  readonly p95: number;
}

/** A statement that takes longer on the branch. */
export interface SlowerStatement {
  readonly sql: string;
  readonly runs: number;
  readonly main: Latency;
  readonly branch: Latency;
}

/** Fewer runs of a statement say nothing. */
const ENOUGH_RUNS = 20;

/** A difference that users may feel, milliseconds: below it is the noise of a machine. */
const FELT = 1;

/** Collects how long statements took on both sides. */
export class LatencyBook {
  readonly #bySql = new Map<string, { main: number[]; branch: number[] }>();

  add(sql: string, main: number, branch: number): void {
    const entry = this.#bySql.get(sql) ?? { main: [], branch: [] };
    entry.main.push(main);
    entry.branch.push(branch);
    this.#bySql.set(sql, entry);
  }

  /** Of all statements. */
  total(side: "main" | "branch"): Latency {
    return latencyOf([...this.#bySql.values()].flatMap((entry) => entry[side]));
  }

  /** Statements whose median is more than a factor above main's, the slowest first. */
  slower(factor: number): readonly SlowerStatement[] {
    return [...this.#bySql]
      .flatMap(([sql, entry]) => {
        const [main, branch] = [latencyOf(entry.main), latencyOf(entry.branch)];
        const isSlower =
          entry.main.length >= ENOUGH_RUNS && branch.p50 > main.p50 * factor && branch.p50 - main.p50 > FELT;
        return isSlower ? [{ sql, runs: entry.main.length, main, branch }] : [];
      })
      .sort((a, b) => b.branch.p50 - a.branch.p50);
  }
}

function latencyOf(values: readonly number[]): Latency {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p95: at(0.95) };
}

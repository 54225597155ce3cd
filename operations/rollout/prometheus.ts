/** One series with its raw samples, oldest first. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Time in seconds since 1970, and value. */
  readonly samples: readonly (readonly [seconds: number, value: number])[];
}

/** Prometheus did not answer a question: for a gate that is "no data". */
export class PrometheusError extends Error {
  override readonly name = "PrometheusError";
}

/** Asks Prometheus for raw samples. */
export class Prometheus {
  readonly #url: string;
  readonly #timeoutSeconds: number;

  constructor(url: string, timeoutSeconds = 3) {
    this.#url = url;
    this.#timeoutSeconds = timeoutSeconds;
  }

  /**
   * The samples of a selector in the last `seconds`, unextrapolated: `rate()` would miss what a counter has counted
   * before its first scrape, which for errors is the part that matters.
   *
   * @throws PrometheusError when it is down, slow or refuses.
   */
  async samples(selector: string, seconds: number): Promise<readonly Series[]> {
    const url = new URL("/api/v1/query", this.#url);
    url.searchParams.set("query", `${selector}[${String(Math.ceil(seconds * 1000))}ms]`);
    let body: Answer;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(this.#timeoutSeconds * 1000) });
      body = (await response.json()) as Answer;
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new PrometheusError(`${this.#url} does not answer (${cause instanceof Error ? cause.message : "?"})`);
    }
    if (body.status !== "success" || body.data?.resultType !== "matrix") {
      throw new PrometheusError(`${this.#url} refuses the query: ${body.error ?? "no range vector"}`);
    }
    return body.data.result.map((series) => ({
      labels: series.metric,
      samples: series.values.map(([time, value]) => [time, Number(value)] as const),
    }));
  }
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: {
    readonly resultType: string;
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly values: readonly (readonly [number, string])[];
    }[];
  };
}

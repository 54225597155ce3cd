/** One series with its raw samples, oldest first. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Time in seconds since 1970, and value. */
  readonly samples: readonly (readonly [seconds: number, value: number])[];
}

/** Prometheus does not answer, or refuses a query: for a gate that is "no data". */
export class PrometheusError extends Error {
  override readonly name = "PrometheusError";
  readonly why: "prometheus-unavailable" | "query-refused";
  readonly url: string;
  /** What the network or Prometheus said. */
  readonly detail: string;

  constructor(why: PrometheusError["why"], url: string, detail: string) {
    super(why === "query-refused" ? `${url} refuses the query: ${detail}` : `${url} does not answer (${detail})`);
    this.why = why;
    this.url = url;
    this.detail = detail;
  }
}

/** Queries Prometheus for raw samples. */
export class Prometheus {
  readonly #url: string;
  readonly #timeoutSeconds: number;

  constructor(url: string, timeoutSeconds = 3) {
    this.#url = url;
    this.#timeoutSeconds = timeoutSeconds;
  }

  /**
   * The samples of a selector in the last `seconds`, without extrapolation: `rate()` misses what a counter has counted
   * before its first scrape, and for errors that is the part that matters.
   *
   * @param until end of those seconds, in seconds since 1970. @default now
   * @throws PrometheusError if it is down or slow, or refuses the query.
   */
  async samples(selector: string, seconds: number, until?: number): Promise<readonly Series[]> {
    const result = await this.#query("matrix", `${selector}[${String(Math.ceil(seconds * 1000))}ms]`, until);
    return result.map((series) => ({
      labels: series.metric,
      samples: (series.values ?? []).map(([time, value]) => [time, Number(value)] as const),
    }));
  }

  /**
   * The present values of an expression, one for each series that it yields.
   *
   * @throws PrometheusError if it is down or slow, or refuses the query.
   */
  async values(expression: string): Promise<readonly number[]> {
    const result = await this.#query("vector", expression);
    return result.flatMap(({ value }) => (value === undefined ? [] : [Number(value[1])]));
  }

  /**
   * Its own clock, seconds since 1970. It stamps the samples; the controller's clock may differ, or jump.
   *
   * @throws PrometheusError if it is down or slow.
   */
  async now(): Promise<number> {
    const [now] = await this.values("time()");
    if (now === undefined) throw new PrometheusError("query-refused", this.#url, "time() yields nothing");
    return now;
  }

  async #query(type: string, query: string, time?: number): Promise<readonly Result[]> {
    const url = new URL("/api/v1/query", this.#url);
    url.searchParams.set("query", query);
    if (time !== undefined) url.searchParams.set("time", String(time));
    let body: Answer;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(this.#timeoutSeconds * 1000) });
      body = (await response.json()) as Answer;
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw new PrometheusError("prometheus-unavailable", this.#url, detail);
    }
    if (body.status !== "success" || body.data === undefined) {
      throw new PrometheusError("query-refused", this.#url, body.error ?? body.status);
    }
    const { resultType, result } = body.data;
    if (resultType === "scalar" && type === "vector") {
      return [{ metric: {}, value: result as unknown as Sample }];
    }
    if (resultType !== type)
      throw new PrometheusError("query-refused", this.#url, `the query yields a ${resultType}, not a ${type}`);
    return result;
  }
}

type Sample = readonly [seconds: number, value: string];

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly Sample[];
  readonly value?: Sample;
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: {
    readonly resultType: string;
    readonly result: readonly Result[];
  };
}

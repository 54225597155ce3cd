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
   * @param until end of those seconds, in seconds since 1970. @default now
   * @throws PrometheusError when it is down, slow or refuses.
   */
  async samples(selector: string, seconds: number, until?: number): Promise<readonly Series[]> {
    const result = await this.#ask("matrix", `${selector}[${String(Math.ceil(seconds * 1000))}ms]`, until);
    return result.map((series) => ({
      labels: series.metric,
      samples: (series.values ?? []).map(([time, value]) => [time, Number(value)] as const),
    }));
  }

  /**
   * The values of an expression now, one for each series that it yields.
   *
   * @throws PrometheusError when it is down, slow or refuses.
   */
  async values(expression: string): Promise<readonly number[]> {
    const result = await this.#ask("vector", expression);
    return result.flatMap(({ value }) => (value === undefined ? [] : [Number(value[1])]));
  }

  /**
   * Its own clock, seconds since 1970. Samples are stamped by it, and the controller's may be another one, or jump.
   *
   * @throws PrometheusError when it is down or slow.
   */
  async now(): Promise<number> {
    const [now] = await this.values("time()");
    if (now === undefined) throw new PrometheusError(`${this.#url} does not say its time`);
    return now;
  }

  async #ask(type: string, query: string, time?: number): Promise<readonly Result[]> {
    const url = new URL("/api/v1/query", this.#url);
    url.searchParams.set("query", query);
    if (time !== undefined) url.searchParams.set("time", String(time));
    let body: Answer;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(this.#timeoutSeconds * 1000) });
      body = (await response.json()) as Answer;
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new PrometheusError(`${this.#url} does not answer (${cause instanceof Error ? cause.message : "?"})`);
    }
    if (body.status !== "success" || body.data === undefined) {
      throw new PrometheusError(`${this.#url} refuses the query: ${body.error ?? "no reason"}`);
    }
    const { resultType, result } = body.data;
    if (resultType === "scalar" && type === "vector") {
      return [{ metric: {}, value: result as unknown as Sample }];
    }
    if (resultType !== type) throw new PrometheusError(`the query yields a ${resultType}, not a ${type}`);
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

import type { Lab } from "./lab.ts";

/** What wrk measured; latencies in milliseconds. */
export interface WrkResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Socket errors, and responses that were neither 2xx nor 3xx. */
  readonly failed: number;
}

/** Runs wrk with one thread. */
export async function measureWrk(
  lab: Lab,
  image: string,
  url: string,
  { connections, seconds }: { readonly connections: number; readonly seconds: number },
): Promise<WrkResult> {
  const command = ["wrk", "-t1", `-c${String(connections)}`, `-d${String(seconds)}s`, "--latency", url];
  return parseWrk(await lab.run(image, command));
}

const MILLISECONDS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };

/** @throws Error if the text has no rate. */
export function parseWrk(text: string): WrkResult {
  const percentile = (percent: number): number => {
    const match = new RegExp(`${String(percent)}%\\s+([\\d.]+)(us|ms|s)`).exec(text);
    return Number(match?.[1]) * (MILLISECONDS[match?.[2] ?? ""] ?? NaN);
  };
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text);
  if (rate === null) throw new Error(`wrk: ${text}`);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const failed = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  return {
    perSecond: Number(rate[1]),
    p50: percentile(50),
    p99: percentile(99),
    failed: errors.reduce((sum, count) => sum + Number(count), failed),
  };
}

import type { Reader } from "../../model/reader.ts";

/** Factors of the suffixes of a Kubernetes quantity. */
const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * A Kubernetes quantity as a number: a decimal number with a suffix, or with an exponent, e.g. `100m`, `1.5Gi`, `1e3`, `.5`. Undefined
 * for what the API server refuses, such as `1K` or `1 Gi`.
 */
export function quantity(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const [, number, suffix = ""] =
    typeof value === "string" ? (/^([+-]?(?:\d+\.?\d*|\.\d+))((?:[eE][+-]?\d+)|[A-Za-z]*)$/.exec(value) ?? []) : [];
  if (number === undefined) return undefined;
  if (/^[eE][+-]?\d/.test(suffix)) return Number(`${number}${suffix}`);
  const factor = Object.hasOwn(SUFFIXES, suffix) ? SUFFIXES[suffix] : undefined;
  return factor === undefined ? undefined : Number(number) * factor;
}

/** The quantity at a place, if it is known. */
export function amountOf(reader: Reader | undefined): number | undefined {
  return reader === undefined ? undefined : quantity(reader.text ?? reader.number);
}

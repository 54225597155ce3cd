import type { Failure } from "../../contract/failure.ts";
import type { Verdict, VerdictUnit } from "../../contract/verdict.ts";

/** A verdict as a short line: `p95: fail, 700 ms (limit 500 ms)`. */
export function verdictText({ gate, verdict, why, figure, limit, unit }: Verdict): string {
  if (figure === undefined || unit === undefined) return `${gate}: ${verdict}, ${why}`;
  const bound = limit === undefined ? "" : ` (limit ${amount(limit, unit)})`;
  const cause = verdict === "no-data" ? `, ${why}` : "";
  return `${gate}: ${verdict}, ${amount(figure, unit)}${bound}${cause}`;
}

/** A failure as a short line. */
export function failureText(failure: Failure): string {
  switch (failure.code) {
    case "gate-failed":
      return failure.verdicts.map(verdictText).join("; ");
    case "gates-timeout":
      return `no pass within ${String(failure.seconds)} s: ${failure.verdicts.map(verdictText).join("; ")}`;
    case "unready":
      return `${failure.slot} is not ready`;
    case "not-ready":
      return `${failure.slot} is not ready after ${String(failure.seconds)} s: ${failure.last}`;
    case "container-failed":
      return verdictText(failure.verdict);
    case "smoke-failed":
      return `smoke test, ${failure.check}: ${failure.message}`;
    case "error":
      return failure.message;
  }
}

/** A figure with its unit. */
export function amount(value: number, unit: VerdictUnit = "value"): string {
  switch (unit) {
    case "share":
      return `${String(Number((value * 100).toPrecision(3)))} %`;
    case "ratio":
      return `${value.toFixed(1)} times`;
    case "value":
      return String(Number(value.toPrecision(3)));
    case "restarts":
      return String(value);
    case "ms":
    case "MB/min":
      return `${value.toFixed(0)} ${unit}`;
  }
}

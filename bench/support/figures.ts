import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Slot } from "../../contract/slots.ts";
import { ROUTES_FILE } from "../../contract/envoy/names.ts";
import type { LoadReport } from "../../tests/support/load/load.ts";
import type { RequestRecord } from "../../tests/support/load/http.ts";

/** A quantile of values, nearest rank; NaN of nothing. */
export function quantileOf(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? NaN;
}

/** Requests that began in an interval (milliseconds since 1970). */
export function between(report: LoadReport, from: number, to: number): readonly RequestRecord[] {
  return report.requests.filter((record) => record.startedAt >= from && record.startedAt < to);
}

/** Share in percent of a slot among answered requests. */
export function shareOf(requests: readonly RequestRecord[], slot: Slot): number {
  const answered = requests.filter((record) => record.servedBy !== undefined);
  return (100 * answered.filter((record) => record.servedBy === slot).length) / answered.length;
}

/**
 * Milliseconds after a change at which the last request began that the other slot still answered; 0 when none did.
 * Requests that were not answered before the next change (`until`) belong to that one.
 */
export function flipMilliseconds(report: LoadReport, changedAt: number, until: number, to: Slot): number {
  const wrong = between(report, changedAt, until).filter(
    (record) =>
      record.servedBy !== undefined && record.servedBy !== to && record.startedAt + record.milliseconds < until,
  );
  return Math.max(0, ...wrong.map((record) => record.startedAt - changedAt));
}

/** When the route table's file was replaced last, milliseconds since 1970. */
export async function tableWrittenAt(routesDirectory: string): Promise<number> {
  // The rename keeps the time of the content; the change time is that of the rename.
  return Number((await stat(join(routesDirectory, ROUTES_FILE), { bigint: true })).ctimeNs) / 1e6;
}

/** The lowest and the highest value, `4.1 to 5.0`, or the one that all have. */
export function rangeOf(digits: number, values: readonly number[]): string {
  return [...new Set([Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits)))].join(" to ");
}

/** A Markdown table. */
export function markdown(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.map(String).join(" | ")} |`;
  return [line(columns), line(columns.map(() => "---")), ...rows.map(line)].join("\n");
}

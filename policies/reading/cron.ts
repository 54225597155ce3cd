import { longestGapMinutes, parseCron } from "../../contract/cron.ts";
import type { Reader } from "../model/reader.ts";
import type { Truth } from "../model/truth.ts";

/** The longest time between two firings of a schedule, in minutes; NaN if it is not valid. */
export function longestGapOf(schedule: string): number {
  try {
    return longestGapMinutes(parseCron(schedule));
  } catch {
    return NaN;
  }
}

/** Whether the longest time between two firings of a schedule is at most some minutes. */
export function firesWithin(schedule: Reader, minutes: number): Truth {
  return schedule.test((value) => typeof value === "string" && longestGapOf(value) <= minutes);
}

import { parseCron, type CronEngine } from "../../../contract/cron/expression.ts";
import { longestGap, type Gap } from "../../../contract/cron/gaps.ts";
import type { Environment } from "../../model/environment.ts";
import type { Reader } from "../../model/reader.ts";
import { all, UnknownTruth, type Truth } from "../../model/truth.ts";

/** What runs the schedules of an environment. */
export function engineOf(environment: Environment): CronEngine {
  return environment === "local" ? "queue" : "kubernetes";
}

/** Computed gaps: several rules ask for the same ones, and the data of time zones is slow to read. */
const GAPS = new Map<string, Gap | Error>();

/** The longest gap of a schedule as its engine runs it, or why the engine refuses it. */
export function gapOf(expression: string, zone: string, engine: CronEngine): Gap | Error {
  const key = `${engine} ${zone} ${expression}`;
  const known = GAPS.get(key);
  if (known !== undefined) return known;
  let gap: Gap | Error;
  try {
    gap = longestGap(parseCron(expression, engine), zone);
  } catch (error) {
    gap = error instanceof Error ? error : new Error(String(error));
  }
  GAPS.set(key, gap);
  return gap;
}

/** The longest gap of a declared schedule; undefined if its expression or its time zone is not known. */
export function declaredGap(schedule: Reader, engine: CronEngine): Gap | Error | undefined {
  const [cron, zone] = [schedule.at("schedule"), schedule.at("timeZone")];
  if (cron.text === undefined || zone.state === "unknown") return undefined;
  const gap = gapOf(cron.text, zone.text ?? "UTC", engine);
  // The message of an error has the value.
  return gap instanceof Error && (cron.secret || zone.secret) ? new Error("it is not valid") : gap;
}

/**
 * Whether the longest time between two firings of a declared schedule is at most some minutes. The hour that a clock is moved back does
 * not count: the night has 25 hours then.
 */
export function firesWithin(schedule: Reader, minutes: number, engine: CronEngine): Truth {
  const gap = declaredGap(schedule, engine);
  if (gap === undefined) {
    const open = [schedule.at("schedule"), schedule.at("timeZone")].map(({ isPresent }) => isPresent);
    return open.some((each) => each instanceof UnknownTruth) && all(...open);
  }
  return !(gap instanceof Error) && gap.minutes + Math.min(0, gap.clockChange) <= minutes;
}

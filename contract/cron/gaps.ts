import type { Cron } from "./expression.ts";
import { clockSegments, type ClockSegment } from "./zones.ts";

const MINUTE = 60_000;
const DAY_MINUTES = 1440;
/** A period with all weekdays, all days of a month, the end of February, and every change of the clock. */
const SPAN_DAYS = 400;
const START = Date.UTC(2027, 0, 1);

/** The longest time between two firings of a schedule. */
export interface Gap {
  /** Infinity if it fires less than twice in 400 days. */
  readonly minutes: number;
  /** The clock changes of the zone that lie in the gap, in minutes: 60 where 02:00 becomes 03:00. */
  readonly clockChange: number;
  /** When the gap begins, in milliseconds since 1970. */
  readonly from: number;
}

/**
 * The longest gap of a schedule in 400 days from 2027-01-01, by the wall clock of a time zone.
 *
 * A CronJob's controller and pg_cron fire at each instant whose wall clock the fields name: a time that a change of the clock skips is
 * not run on that day, and one that it repeats is run twice. Vixie cron and `exai.cron_due` run a skipped time right after the change,
 * and a repeated one once, unless the schedule is of every hour.
 */
export function longestGap(cron: Cron, zone: string): Gap {
  if (cron.everySeconds !== undefined) return { minutes: cron.everySeconds / 60, clockChange: 0, from: START };
  const segments = clockSegments(zone, START, START + SPAN_DAYS * DAY_MINUTES * MINUTE);
  const end = START / MINUTE + SPAN_DAYS * DAY_MINUTES;
  let longest: { minutes: number; from: number } = { minutes: 0, from: START / MINUTE };
  let last: number | undefined;
  for (const now of firings(cron, segments)) {
    if (last !== undefined && now - last > longest.minutes) longest = { minutes: now - last, from: last };
    last = now;
  }
  // A schedule that stops, or starts late, also leaves a gap at the ends of the period.
  if (last === undefined || longest.minutes === 0) return { minutes: Infinity, clockChange: 0, from: START };
  if (end - last > longest.minutes) longest = { minutes: end - last, from: last };
  const within = segments.filter(
    ({ from }) => from / MINUTE > longest.from && from / MINUTE <= longest.from + longest.minutes,
  );
  return {
    minutes: longest.minutes,
    clockChange: within.reduce((sum, segment) => sum + segment.change, 0),
    from: longest.from * MINUTE,
  };
}

/** The firings, in minutes since 1970. */
function* firings(cron: Cron, segments: readonly ClockSegment[]): Generator<number> {
  const skips = cron.engine === "kubernetes" || cron.engine === "pg_cron" || cron.everyHour;
  // Wall-clock minutes up to which a schedule of fixed hours has run.
  let done = -Infinity;
  for (const { from, to, offset } of segments) {
    const [start, end] = [from / MINUTE + offset, to / MINUTE + offset];
    if (!skips && done !== -Infinity && start > done && !matches(cron, done, start).next().done) yield start - offset;
    for (const wall of matches(cron, skips ? start : Math.max(start, done), end)) yield wall - offset;
    done = Math.max(done, end);
  }
}

/** The wall-clock minutes of [from, to) that the fields name. */
function* matches(cron: Cron, from: number, to: number): Generator<number, void, undefined> {
  const hours = [...cron.hours].sort((a, b) => a - b);
  const minutes = [...cron.minutes].sort((a, b) => a - b);
  for (let day = Math.floor(from / DAY_MINUTES); day * DAY_MINUTES < to; day += 1) {
    if (!firesOn(cron, new Date(day * DAY_MINUTES * MINUTE))) continue;
    for (const hour of hours)
      for (const minute of minutes) {
        const at = day * DAY_MINUTES + hour * 60 + minute;
        if (at >= from && at < to) yield at;
      }
  }
}

/** @param date midnight of the day, as if the wall clock were UTC */
function firesOn(cron: Cron, date: Date): boolean {
  if (!cron.months.has(date.getUTCMonth() + 1)) return false;
  const isLast = new Date(date.getTime() + DAY_MINUTES * MINUTE).getUTCDate() === 1;
  const day = cron.days.has(date.getUTCDate()) || (cron.lastDay && isLast);
  const weekday = cron.weekdays.has(date.getUTCDay());
  return cron.eitherDay ? day || weekday : day && weekday;
}

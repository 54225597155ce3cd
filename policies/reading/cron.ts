/** A cron schedule of five fields: minute, hour, day of month, month, day of week. */
export interface Cron {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** 0 is Sunday. */
  readonly weekdays: ReadonlySet<number>;
  /** Whether both day fields restrict: then either one suffices (Vixie cron). */
  readonly eitherDay: boolean;
}

const MACROS: Readonly<Record<string, string>> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** Parses a schedule; undefined where it is not one. */
export function parseCron(text: string): Cron | undefined {
  const fields = (MACROS[text.trim().toLowerCase()] ?? text).trim().split(/\s+/);
  if (fields.length !== 5) return undefined;
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = fields;
  const minutes = field(minute, 0, 59);
  const hours = field(hour, 0, 23);
  const days = field(day, 1, 31);
  const months = field(month, 1, 12, MONTHS, 1);
  const weekdays = field(weekday, 0, 7, WEEKDAYS, 0);
  if (
    minutes === undefined ||
    hours === undefined ||
    days === undefined ||
    months === undefined ||
    weekdays === undefined
  )
    return undefined;
  return {
    minutes,
    hours,
    days,
    months,
    weekdays: new Set([...weekdays].map((number) => number % 7)),
    eitherDay: !day.startsWith("*") && !weekday.startsWith("*"),
  };
}

function field(
  text: string,
  min: number,
  max: number,
  names: readonly string[] = [],
  first = 0,
): Set<number> | undefined {
  const numbers = new Set<number>();
  for (const part of text.toLowerCase().split(",")) {
    const match = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part);
    if (match === null) return undefined;
    const [, star, from = "", to, step] = match;
    const low = star === undefined ? number(from, names, first) : min;
    const high =
      star === undefined ? (to === undefined ? (step === undefined ? low : max) : number(to, names, first)) : max;
    const by = step === undefined ? 1 : Number(step);
    if (low === undefined || high === undefined || low < min || high > max || low > high || by < 1) return undefined;
    for (let value = low; value <= high; value += by) numbers.add(value);
  }
  return numbers;
}

function number(text: string, names: readonly string[], first: number): number | undefined {
  const named = names.indexOf(text);
  if (named !== -1) return named + first;
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

const MINUTE = 60_000;
/** A span with every weekday, every day of a month, and the end of February. */
const SPAN_DAYS = 400;

/** The longest time between two firings, in minutes; infinity where it fires less than twice in 400 days. */
export function longestGapMinutes(cron: Cron): number {
  let longest = 0;
  let last: number | undefined;
  const start = Date.UTC(2027, 0, 1);
  for (let day = 0; day < SPAN_DAYS; day += 1) {
    const date = new Date(start + day * 1440 * MINUTE);
    if (!firesOn(cron, date)) continue;
    for (const hour of [...cron.hours].sort((a, b) => a - b))
      for (const minute of [...cron.minutes].sort((a, b) => a - b)) {
        const now = day * 1440 + hour * 60 + minute;
        if (last !== undefined) longest = Math.max(longest, now - last);
        last = now;
      }
  }
  // A schedule that stops, or starts late, leaves a gap at the ends of the span too.
  if (last === undefined || longest === 0) return Infinity;
  return Math.max(longest, SPAN_DAYS * 1440 - last);
}

function firesOn(cron: Cron, date: Date): boolean {
  if (!cron.months.has(date.getUTCMonth() + 1)) return false;
  const day = cron.days.has(date.getUTCDate());
  const weekday = cron.weekdays.has(date.getUTCDay());
  return cron.eitherDay ? day || weekday : day && weekday;
}

/** A cron schedule of five fields: minute, hour, day of month, month, day of week. */
export interface Cron {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** 0 is Sunday. */
  readonly weekdays: ReadonlySet<number>;
  /** Whether both day fields are restricted: then either one suffices (Vixie cron). */
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
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS = [
  { name: "minute", low: 0, high: 59, words: [] },
  { name: "hour", low: 0, high: 23, words: [] },
  { name: "day", low: 1, high: 31, words: [] },
  { name: "month", low: 1, high: 12, words: MONTHS },
  { name: "weekday", low: 0, high: 7, words: WEEKDAYS },
] as const;
type Field = (typeof FIELDS)[number];

/**
 * Parses five fields of lists of `*`, `a` and `a-b`, each with an optional `/step`, or a macro such as `@daily`.
 *
 * @throws Error with the field at fault
 */
export function parseCron(expression: string): Cron {
  const trimmed = expression.trim().toLowerCase();
  const fields = (MACROS[trimmed] ?? trimmed).split(/\s+/);
  if (fields.length !== FIELDS.length) throw new Error(`it has ${fields.length} fields instead of 5`);
  const [minutes, hours, days, months, weekdays] = FIELDS.map((field, index) =>
    parseField(fields[index] ?? "", field),
  ) as [Set<number>, Set<number>, Set<number>, Set<number>, Set<number>];
  const restricted = (index: number) => fields[index]?.startsWith("*") === false;
  return {
    minutes,
    hours,
    days,
    months,
    weekdays: new Set([...weekdays].map((day) => day % 7)),
    eitherDay: restricted(2) && restricted(4),
  };
}

function parseField(text: string, { name, low, high, words }: Field): Set<number> {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part);
    if (match === null) throw new Error(`the ${name} "${text}" is malformed`);
    const [, , from, to, every] = match;
    const step = every === undefined ? 1 : Number(every);
    const first = from === undefined ? low : numberOf(from, low, words);
    // `a/step` runs from a to the end.
    const last = to !== undefined ? numberOf(to, low, words) : from !== undefined && every === undefined ? first : high;
    if (!(step >= 1 && first >= low && last <= high && first <= last))
      throw new Error(`the ${name} "${text}" is outside ${low}-${high}`);
    for (let value = first; value <= last; value += step) values.add(value);
  }
  return values;
}

/** NaN if the text is neither a number nor a name. */
function numberOf(text: string, low: number, words: readonly string[]): number {
  const at = words.indexOf(text);
  if (at !== -1) return at + low;
  return /^\d+$/.test(text) ? Number(text) : NaN;
}

const MINUTE = 60_000;
/** A period with all weekdays, all days of a month, and the end of February. */
const SPAN_DAYS = 400;

/** The longest time between two firings, in minutes; infinity if it fires less than twice in 400 days. */
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
  // A schedule that stops, or starts late, also leaves a gap at the ends of the period.
  if (last === undefined || longest === 0) return Infinity;
  return Math.max(longest, SPAN_DAYS * 1440 - last);
}

function firesOn(cron: Cron, date: Date): boolean {
  if (!cron.months.has(date.getUTCMonth() + 1)) return false;
  const day = cron.days.has(date.getUTCDate());
  const weekday = cron.weekdays.has(date.getUTCDay());
  return cron.eitherDay ? day || weekday : day && weekday;
}

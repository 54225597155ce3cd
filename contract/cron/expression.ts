/**
 * The engines that run schedules; they read the same five fields differently.
 *
 * - `kubernetes`: a CronJob's controller (robfig/cron, standard parser). Sunday is 0 alone.
 * - `queue`: `exai.cron_due` of the migrations, which pg_cron calls every minute. Digits only.
 * - `pg_cron`: cron.schedule(). Vixie cron, with `$` for the last day of a month and intervals in seconds.
 * - `debian`: Vixie cron of Debian, and of the systemd units that imitate it.
 */
export type CronEngine = "kubernetes" | "queue" | "pg_cron" | "debian";

/** A schedule: five fields (minute, hour, day of month, month, day of week), or an interval. */
export interface Cron {
  readonly engine: CronEngine;
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** 0 is Sunday. */
  readonly weekdays: ReadonlySet<number>;
  /** Whether both day fields are restricted: then either one suffices. */
  readonly eitherDay: boolean;
  /** Whether the last day of each month is meant, too. */
  readonly lastDay: boolean;
  /** Whether every hour is meant: Vixie cron and `exai.cron_due` let such a schedule follow real time in nights of clock changes. */
  readonly everyHour: boolean;
  /** An interval instead of fields, which are empty then. */
  readonly everySeconds?: number;
}

interface Dialect {
  readonly sunday7: boolean;
  /** Names of months and weekdays, such as `jan` and `sun`. */
  readonly names: boolean;
  readonly macros: boolean;
  /** Whether `?` stands for `*`. */
  readonly questionMark: boolean;
  readonly lastDay: boolean;
  /** An interval; its two groups are a number and a unit. */
  readonly interval?: RegExp;
  /** Whether a day field leaves the choice to the other one. */
  readonly isOpen: (field: string) => boolean;
}

const begins = (field: string) => field.startsWith("*");
const DIALECTS: Readonly<Record<CronEngine, Dialect>> = {
  kubernetes: {
    ...{ sunday7: false, names: true, macros: true, questionMark: true, lastDay: false },
    interval: /^@every (?:\d+(?:\.\d+)?(?:h|m|s))+$/,
    // A step of more than one restricts the field, unlike in Vixie cron.
    isOpen: (field) => field.split(",").some((part) => /^[*?](?:\/1)?$/.test(part)),
  },
  queue: {
    ...{ sunday7: true, names: false, macros: false, questionMark: false, lastDay: false },
    isOpen: (field) => field === "*",
  },
  pg_cron: {
    ...{ sunday7: true, names: true, macros: true, questionMark: false, lastDay: true },
    interval: /^(?:[1-9]|[1-5]\d) seconds?$/,
    isOpen: begins,
  },
  debian: { sunday7: true, names: true, macros: true, questionMark: false, lastDay: false, isOpen: begins },
};

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
type Field = Omit<(typeof FIELDS)[number], "words"> & { readonly words: readonly string[] };

const NO_FIELDS = { minutes: [], hours: [], days: [], months: [], weekdays: [] } as const;
const SECONDS = { h: 3600, m: 60, s: 1 } as const;

/**
 * Parses an expression as an engine does: five fields of lists of `*`, `a` and `a-b`, each with an optional `/step`, and what else
 * the engine takes.
 *
 * @throws Error with the field at fault
 */
export function parseCron(expression: string, engine: CronEngine): Cron {
  const dialect = DIALECTS[engine];
  const trimmed = expression.trim().toLowerCase();
  if (dialect.interval?.test(trimmed) === true) {
    const parts = [...trimmed.matchAll(/(\d+(?:\.\d+)?) ?(h|m|s)/g)];
    const everySeconds = parts.reduce((sum, [, count, unit]) => sum + Number(count) * SECONDS[unit as "h"], 0);
    const empty = Object.fromEntries(Object.keys(NO_FIELDS).map((key) => [key, new Set<number>()]));
    return {
      ...(empty as Record<keyof typeof NO_FIELDS, Set<number>>),
      ...{ engine, eitherDay: false, lastDay: false, everyHour: true, everySeconds },
    };
  }
  const macro = dialect.macros ? MACROS[trimmed] : undefined;
  // `exai.cron_matches` splits at single spaces.
  const fields = (macro ?? trimmed).split(engine === "queue" ? " " : /\s+/);
  if (fields.length !== FIELDS.length) throw new Error(`it has ${fields.length} fields instead of 5`);
  const lastDay = dialect.lastDay && fields[2] === "$";
  const read = FIELDS.map((field, index) => {
    const text = fields[index] ?? "";
    if (index === 2 && lastDay) return new Set<number>();
    return parseField(text, { ...field, ...limits(field, dialect) }, dialect);
  });
  const [minutes, hours, days, months, weekdays] = read as [
    ...[Set<number>, Set<number>, Set<number>, Set<number>, Set<number>],
  ];
  return {
    ...{ engine, minutes, hours, days, months, lastDay },
    weekdays: new Set([...weekdays].map((day) => day % 7)),
    eitherDay: !dialect.isOpen(fields[2] ?? "") && !dialect.isOpen(fields[4] ?? ""),
    everyHour: fields[1]?.startsWith("*") === true,
  };
}

/** The bounds and words of a field in a dialect. */
function limits({ name, high, words }: Field, dialect: Dialect): Pick<Field, "words"> & { high: number } {
  return { high: name === "weekday" && !dialect.sunday7 ? 6 : high, words: dialect.names ? words : [] };
}

interface Bounds {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly words: readonly string[];
}

function parseField(text: string, { name, low, high, words }: Bounds, dialect: Dialect): Set<number> {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(?:([*?])|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part);
    if (match === null || (match[1] === "?" && !dialect.questionMark))
      throw new Error(`the ${name} "${text}" is malformed`);
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

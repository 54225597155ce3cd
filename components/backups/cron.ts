/** A cron expression as the sets of values that match it. */
export interface Cron {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** 0 is Sunday. */
  readonly weekdays: ReadonlySet<number>;
}

const FIELDS = [
  { name: "minute", low: 0, high: 59 },
  { name: "hour", low: 0, high: 23 },
  { name: "day", low: 1, high: 31 },
  { name: "month", low: 1, high: 12 },
  { name: "weekday", low: 0, high: 7 },
] as const;

/** Parses five fields of lists of `*`, `a` and `a-b`, each with an optional `/step`. @throws Error saying which field */
export function parseCron(expression: string): Cron {
  const fields = expression.split(" ");
  if (fields.length !== FIELDS.length) throw new Error(`it has ${fields.length} fields instead of 5`);
  const [minutes, hours, days, months, weekdays] = FIELDS.map(({ name, low, high }, index) =>
    parseField(fields[index] ?? "", name, low, high),
  ) as [Set<number>, Set<number>, Set<number>, Set<number>, Set<number>];
  return { minutes, hours, days, months, weekdays: new Set([...weekdays].map((day) => day % 7)) };
}

function parseField(field: string, name: string, low: number, high: number): Set<number> {
  const values = new Set<number>();
  for (const part of field.split(",")) {
    const match = /^(?:(\*)|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
    if (match === null) throw new Error(`the ${name} "${field}" is malformed`);
    const [, , from, to, every] = match;
    const step = every === undefined ? 1 : Number(every);
    const first = from === undefined ? low : Number(from);
    // `a/step` runs from a to the end.
    const last = to !== undefined ? Number(to) : from !== undefined && every === undefined ? first : high;
    if (step < 1 || first < low || last > high || first > last)
      throw new Error(`the ${name} "${field}" is outside ${low}-${high}`);
    for (let value = first; value <= last; value += step) values.add(value);
  }
  return values;
}

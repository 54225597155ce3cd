/** A label matcher for a histogram's bound. Prometheus 3 stores the bound "1" as "1.0", so both spellings must match. */
export function atBound(bound: number): string {
  const text = String(bound);
  const escaped = text.replaceAll(".", "\\\\.");
  return text.includes(".") ? `le="${text}"` : `le=~"${escaped}(\\\\.0)?"`;
}

/** `name{labels}`; an empty list of matchers leaves the braces out. */
export function selector(name: string, ...matchers: readonly string[]): string {
  return matchers.length === 0 ? name : `${name}{${matchers.join(",")}}`;
}

/** A duration as Prometheus writes it, from whole seconds: `90s`, `5m`, `26h`, `7d`. */
export function duration(seconds: number): string {
  for (const [unit, size] of [
    ["d", 86_400],
    ["h", 3600],
    ["m", 60],
  ] as const) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return `${seconds}s`;
}

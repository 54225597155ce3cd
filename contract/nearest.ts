/** The known name that a misspelt one most likely means: at most three single-letter edits away. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const scored = known.map(
    (candidate) => [editDistance(name.toLowerCase(), candidate.toLowerCase()), candidate] as const,
  );
  scored.sort(([a], [b]) => a - b);
  const best = scored[0];
  return best !== undefined && best[0] <= 3 && best[0] < name.length ? best[1] : undefined;
}

/** `; did you mean …?` for the end of a message; empty if no known name is near. */
export function suggestion(name: string, known: readonly string[], prefix = ""): string {
  const near = nearest(name, known);
  return near === undefined ? "" : `; did you mean ${prefix}${near}?`;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(b).entries())
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? 0;
}

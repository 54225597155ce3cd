/** A range of whole numbers, without its end. */
export type Range = readonly [from: bigint, end: bigint];

/** How many numbers some ranges have together. */
export function sizeOf(ranges: readonly Range[]): bigint {
  let [size, last] = [0n, 0n];
  for (const [from, end] of ranges.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    if (end > last) size += end - (from > last ? from : last);
    if (end > last) last = end;
  }
  return size;
}

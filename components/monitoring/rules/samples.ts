import type { Samples } from "./rule.ts";

/** A gauge that stays. */
export function steady(value: number): Samples {
  return (steps) => `${value}+0x${steps}`;
}

/** A counter that starts at zero and grows by `perStep` with each sample. */
export function growing(perStep: number): Samples {
  return (steps) => `0+${perStep}x${steps}`;
}

/** A time stamp that is always now, from 1 on: 0 would mean "never". */
export function current(): Samples {
  return (steps, stepSeconds) => `1+${stepSeconds}x${steps}`;
}

/** One value for `first` samples, another for the rest. */
export function turning(first: number, before: number, after: number): Samples {
  return (steps) => `${before}+0x${first - 1} ${after}+0x${Math.max(0, steps - first)}`;
}

/** Zero for `first` samples; then the series ends, as one does that a scrape no longer finds. */
export function ending(first: number): Samples {
  return (steps) => `0+0x${first - 1} stale _x${Math.max(0, steps - first)}`;
}

/** No series for `first` samples; then a value that stays. */
export function beginning(first: number, value: number): Samples {
  return (steps) => `_x${first} ${value}+0x${Math.max(0, steps - first)}`;
}

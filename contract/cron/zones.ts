/** Words of zone names that are written in another way than `Xxxx`. */
const WORDS =
  /^(?:[A-Z][a-z']+(?:[A-Z][a-z]+)*|[A-Z]{1,4}|of|au|es|e|[A-Z]{3}\d[A-Z]{3}|GMT[+-]?\d{0,2}|DumontDUrville|LHI|Troll)$/;

/**
 * Whether a name is a zone of the IANA database, in its own spelling: the engines look it up as a file name, and so
 * distinguish `Europe/berlin` from `Europe/Berlin`. Offsets and `Local` are none.
 */
export function isTimeZone(name: string): boolean {
  // The default. The first question to Intl takes 20 ms, and every rollback checks its settings.
  if (name === "UTC") return true;
  if (!/^[A-Z][A-Za-z0-9_+/-]*$/.test(name)) return false;
  let canonical: string;
  try {
    canonical = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return false;
  }
  if (canonical === name) return true;
  // Another name of the zone, e.g. Asia/Kolkata: Intl takes it in any case, and does not show its spelling.
  return canonical.toLowerCase() !== name.toLowerCase() && name.split(/[/_]|-(?=[A-Za-z])/).every((w) => WORDS.test(w));
}

/** A period in which the clock of a zone is not changed. */
export interface ClockSegment {
  /** Milliseconds since 1970; `to` is excluded. */
  readonly from: number;
  readonly to: number;
  /** Minutes that the wall clock is ahead of UTC. */
  readonly offset: number;
  /** Minutes that the clock was moved forward at `from`; negative for back, 0 for the first segment. */
  readonly change: number;
}

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

/** The periods of a zone between two instants, by the time zone data of the runtime. @throws RangeError on an unknown zone */
export function clockSegments(zone: string, from: number, to: number): readonly ClockSegment[] {
  if (zone === "UTC") return [{ from, to, offset: 0, change: 0 }];
  const format = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
  const offsetAt = (instant: number): number => {
    const [, sign, hours = "0", minutes = "0"] = /GMT(?:([+-])(\d+):(\d+))?/.exec(format.format(instant)) ?? [];
    return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  };
  const segments: ClockSegment[] = [];
  let start = from;
  let offset = offsetAt(from);
  let change = 0;
  for (let day = from; day < to; day += DAY) {
    const after = offsetAt(day + DAY);
    if (after === offset) continue;
    let [low, high] = [day, day + DAY];
    while (high - low > MINUTE) {
      const middle = low + Math.floor((high - low) / (2 * MINUTE)) * MINUTE;
      if (offsetAt(middle) === offset) low = middle;
      else high = middle;
    }
    segments.push({ from: start, to: high, offset, change });
    [start, change, offset] = [high, after - offset, after];
  }
  return [...segments, { from: start, to, offset, change }];
}

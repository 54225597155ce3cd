/** Seconds for a person: `4.2 s`, `80 s`, `12 min`, `3.5 h`, `4.2 d`; a dash if they are not known. */
export function span(seconds: number): string {
  if (!Number.isFinite(seconds)) return "-";
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(0)} min`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86_400).toFixed(1)} d`;
}

/**
 * How long ago something was, for a person; empty if it is not known. Programs write "never" as a date long before any
 * computer, such as Go's 0001-01-01.
 *
 * @param now milliseconds
 */
export function age(now: number, since: string | undefined): string {
  const at = Date.parse(since ?? "");
  return at > 0 ? span((now - at) / 1000) : "";
}

/** Bytes in binary units with three digits. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power] ?? ""}`;
}

/** `1 migration`, `2 migrations`. */
export function count(number: number, noun: string): string {
  return `${String(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** An instant in UTC to the second: `2026-11-01 02:00:00`. */
export function utc(at: Date): string {
  if (!(at.getTime() > 0)) return "-";
  return at.toISOString().slice(0, 19).replace("T", " ");
}

import { UserError } from "../../contract/errors.ts";

/** What a restore aims at. */
export type RestoreTarget =
  /** The last commit in the archive. */
  | { readonly kind: "latest" }
  /** All commits up to a time. */
  | { readonly kind: "time"; readonly at: Date }
  /** All commits before a position in the WAL. */
  | { readonly kind: "lsn"; readonly lsn: string }
  /** The end of a backup. */
  | { readonly kind: "backup"; readonly label: string }
  /** The moment before a statement took rows away, at about this time. */
  | { readonly kind: "before"; readonly at: Date; readonly withinMinutes: number };

/** Reads `--to`: a time or a position. @throws UserError */
export function timeOrPosition(text: string, now: Date): RestoreTarget {
  if (/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(text)) return { kind: "lsn", lsn: text.toUpperCase() };
  return { kind: "time", at: timeOf(text, "--to", now) };
}

/**
 * Reads a time: `2026-11-29T14:30:05Z`, `2026-11-29 14:30`, or `14:30` for the last time that it was 14:30. Without a zone it is
 * UTC, as all times that this program prints.
 *
 * @throws UserError if it is none, or in the future
 */
export function timeOf(text: string, option: string, now: Date): Date {
  const found =
    /^(?:(\d{4}-\d{2}-\d{2})[T ])?(\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:?\d{2})?$/.exec(text.trim()) ?? [];
  const [, day, clock, zone = "Z"] = found;
  if (clock === undefined) throw unreadable(text, option);
  let at = new Date(`${day ?? now.toISOString().slice(0, 10)}T${clock}${zone}`);
  if (Number.isNaN(at.getTime())) throw unreadable(text, option);
  if (day === undefined && at > now) at = new Date(at.getTime() - 86_400_000);
  if (at.getTime() > now.getTime() + 60_000)
    throw new UserError(
      "invalid-argument",
      option,
      `${at.toISOString()} is in the future`,
      "give a time that has passed",
    );
  return at;
}

function unreadable(text: string, option: string): UserError {
  const fix = "give for example 2026-11-29T14:30:05Z, 14:30, or for --to a position such as 0/5016180";
  return new UserError("invalid-argument", option, `"${text}" cannot be read as a time`, fix);
}

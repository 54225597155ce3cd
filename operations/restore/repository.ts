/** A backup in the repository, as pgBackRest's `info` reports it. */
export interface StoredBackup {
  readonly label: string;
  readonly startedAt: Date;
  readonly stoppedAt: Date;
  /** First and last segment of the WAL that makes it consistent. */
  readonly walStart: string;
  readonly walStop: string;
  readonly lsnStop: string;
  /** Size of the database, bytes. */
  readonly sizeBytes: number;
}

/** A WAL segment in the repository. */
export interface StoredSegment {
  /** 24 hexadecimal digits; the first eight are the timeline. */
  readonly name: string;
  readonly archivedAt: Date;
}

/** What can be restored. */
export interface Repository {
  /** Oldest first. */
  readonly backups: readonly StoredBackup[];
  /** In the order in which they were archived. */
  readonly segments: readonly StoredSegment[];
  /** Where each timeline left its parents: by timeline, the pairs of parent and last position. */
  readonly histories: ReadonlyMap<number, readonly Branch[]>;
}

/** A timeline ended at a position, where another one began. */
export interface Branch {
  readonly timeline: number;
  readonly lsn: string;
}

interface Info {
  readonly backup?: readonly {
    readonly label: string;
    readonly archive: { readonly start: string; readonly stop: string };
    readonly lsn: { readonly stop: string };
    readonly timestamp: { readonly start: number; readonly stop: number };
    readonly info: { readonly size: number };
    readonly error?: boolean;
  }[];
}

/** The backups of `pgbackrest info --output=json`, oldest first. One with damaged pages is left out. */
export function storedBackups(info: string): readonly StoredBackup[] {
  const [stanza] = JSON.parse(info) as readonly (Info | undefined)[];
  return (stanza?.backup ?? [])
    .filter(({ error }) => error !== true)
    .map(({ label, archive, lsn, timestamp, info: { size } }) => ({
      label,
      startedAt: new Date(timestamp.start * 1000),
      stoppedAt: new Date(timestamp.stop * 1000),
      walStart: archive.start,
      walStop: archive.stop,
      lsnStop: lsn.stop,
      sizeBytes: size,
    }));
}

/** The segments of `pgbackrest repo-ls --recurse --output=json`, in the order in which they were archived. */
export function storedSegments(list: string): readonly StoredSegment[] {
  const files = Object.entries(JSON.parse(list) as Record<string, { readonly time?: number }>);
  return files
    .flatMap(([path, { time = 0 }]) => {
      const name = /\/([0-9A-F]{24})-[0-9a-f]{40}(?:\.\w+)?$/.exec(path)?.[1];
      return name === undefined ? [] : [{ name, archivedAt: new Date(time * 1000) }];
    })
    .sort((a, b) => a.archivedAt.getTime() - b.archivedAt.getTime() || a.name.localeCompare(b.name));
}

/** A timeline's history file: lines of parent timeline, position and reason. */
export function branches(history: string): readonly Branch[] {
  return history.split("\n").flatMap((line) => {
    const found = /^(\d+)\t([0-9A-F]+\/[0-9A-F]+)/.exec(line);
    return found === null ? [] : [{ timeline: Number(found[1]), lsn: found[2] ?? "" }];
  });
}

/** The timeline of a segment. */
export function timelineOf(segment: string): number {
  return Number.parseInt(segment.slice(0, 8), 16);
}

/** A position in the WAL, as a number that can be compared. */
export function position(lsn: string): bigint {
  const [high = "0", low = "0"] = lsn.split("/");
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

/** Bytes of a segment. */
const SEGMENT = 16n * 1024n * 1024n;

/** Name of a position's segment without its timeline. */
export function segmentAt(lsn: string): string {
  const number = position(lsn) / SEGMENT;
  const hex = (value: bigint) => value.toString(16).toUpperCase().padStart(8, "0");
  return hex(number / 256n) + hex(number % 256n);
}

/**
 * The newest backup from which a position on a timeline can be reached; undefined if there is none. A backup on a branch that
 * the timeline does not continue cannot be used.
 */
export function backupBefore(
  { backups, histories }: Repository,
  timeline: number,
  lsn: string,
): StoredBackup | undefined {
  return backups.findLast(({ walStop, lsnStop }) => {
    if (position(lsnStop) > position(lsn)) return false;
    const own = timelineOf(walStop);
    if (own === timeline) return true;
    const left = histories.get(timeline)?.find((branch) => branch.timeline === own);
    return left !== undefined && position(lsnStop) <= position(left.lsn);
  });
}

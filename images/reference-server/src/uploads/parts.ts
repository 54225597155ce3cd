import { createHash } from "node:crypto";

/** Bytes of a part: the size of chunk that Supabase's resumable uploads ask for. */
export const PART_BYTES = 6 * 1024 * 1024;

/** Bytes that lie next to each other, as they came. */
export interface Part {
  readonly chunks: readonly Buffer[];
  readonly bytes: number;
}

/** The body of a request ended before its end. */
export class Cut extends Error {
  override readonly name = "Cut";
}

/**
 * Divides a body into parts that end at multiples of {@link PART_BYTES} of the file. Only one part is in memory: the body is not read
 * on before the part is taken. What came before a body broke is a part too, and the break follows as {@link Cut}.
 */
export async function* parts(body: AsyncIterable<Buffer>, offset: number): AsyncGenerator<Part, void, void> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let room = PART_BYTES - (offset % PART_BYTES);
  let cut: unknown;
  try {
    for await (const chunk of body)
      for (let rest = chunk; rest.length > 0;) {
        const taken = rest.subarray(0, room - bytes);
        rest = rest.subarray(taken.length);
        chunks.push(taken);
        bytes += taken.length;
        if (bytes < room) continue;
        yield { chunks, bytes };
        [chunks, bytes, room] = [[], 0, PART_BYTES];
      }
  } catch (error) {
    cut = error;
  }
  if (bytes > 0) yield { chunks, bytes };
  if (cut !== undefined) throw new Cut("the request ended before its end", { cause: cut });
}

/** What a part has from `skipped` bytes on. */
export function rest({ chunks, bytes }: Part, skipped: number): Part {
  const kept: Buffer[] = [];
  let before = 0;
  for (const chunk of chunks) {
    if (before + chunk.length > skipped) kept.push(chunk.subarray(Math.max(0, skipped - before)));
    before += chunk.length;
  }
  return { chunks: kept, bytes: bytes - skipped };
}

/** SHA-256 of a part, in hexadecimal. */
export function sha256({ chunks }: Part): string {
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}

/** A part that a row describes. */
export interface RecordedPart {
  readonly bytes: number;
  readonly sha256: string;
}

/** Compares a file with what was recorded of its parts. @returns its SHA-256, or undefined if it is another file */
export async function verified(
  file: AsyncIterable<Uint8Array>,
  recorded: readonly RecordedPart[],
): Promise<string | undefined> {
  const whole = createHash("sha256");
  let index = 0;
  let part = createHash("sha256");
  let left = recorded[0]?.bytes ?? 0;
  for await (const chunk of file) {
    whole.update(chunk);
    for (let from = 0; from < chunk.length;) {
      const current = recorded[index];
      if (current === undefined) return undefined;
      const taken = chunk.subarray(from, from + left);
      part.update(taken);
      from += taken.length;
      left -= taken.length;
      if (left > 0) continue;
      if (part.digest("hex") !== current.sha256) return undefined;
      index += 1;
      part = createHash("sha256");
      left = recorded[index]?.bytes ?? 0;
    }
  }
  return index === recorded.length ? whole.digest("hex") : undefined;
}

import { gunzipSync, inflateSync } from "node:zlib";

const DEPTH = 3;
const LARGEST = 1_000_000;

/** A text, and what is encoded in it: base64, hexadecimal digits, URL and JSON escapes, gzip; each also inside of another one. */
export function* decodedTexts(text: string, depth = DEPTH): Generator<string> {
  yield text;
  if (depth === 0 || text.length > LARGEST) return;
  for (const inner of decodedOnce(text)) if (inner !== text) yield* decodedTexts(inner, depth - 1);
}

function* decodedOnce(text: string): Generator<string> {
  if (/%[\da-f]{2}/i.test(text)) {
    try {
      yield decodeURIComponent(text);
    } catch {
      // A percent sign that encodes nothing.
    }
  }
  if (/\\(?:u[\da-f]{4}|x[\da-f]{2}|["/])/i.test(text))
    yield text
      .replace(/\\(?:u|x)([\da-f]{4}|[\da-f]{2})/gi, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)))
      .replaceAll(/\\(["/])/g, "$1");
  // base64 of several lines, as the command prints it.
  const whole = /^[\w+/=\s-]+$/.test(text) && text.trim().includes("\n") ? [text.replaceAll(/\s+/g, "")] : [];
  for (const word of [...whole, ...text.matchAll(/[A-Za-z\d+/_-]{16,}={0,2}/g)].map(String)) {
    if (/^(?:[\da-f]{2}){10,}$/i.test(word)) {
      const hex = readable(Buffer.from(word, "hex"));
      if (hex !== undefined) yield hex;
    }
    const decoded = decodedWord(word);
    if (decoded !== undefined) yield decoded;
  }
}

/** The text of a word in base64; undefined if it is not one. */
export function decodedWord(word: string): string | undefined {
  return readable(Buffer.from(word, "base64"));
}

/** The text of some bytes, which may be compressed; undefined if they are not text. */
function readable(bytes: Buffer): string | undefined {
  const unpack = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync : bytes[0] === 0x78 ? inflateSync : undefined;
  if (unpack !== undefined) {
    try {
      return unpack(bytes, { maxOutputLength: LARGEST }).toString("utf8");
    } catch {
      // Bytes that begin like a compressed text.
    }
  }
  return textOf(bytes);
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function textOf(bytes: Buffer): string | undefined {
  if (bytes.length < 8) return undefined;
  // UTF-16, as PowerShell encodes its commands.
  const wide = bytes.length % 2 === 0 && bytes.every((byte, index) => index % 2 === 0 || byte === 0);
  try {
    const text = wide ? bytes.toString("utf16le") : UTF8.decode(bytes);
    return /^[\t\n\r\x20-\x7e\u00a0-\uffff]+$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

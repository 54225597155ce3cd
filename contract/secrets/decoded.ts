import { isUtf8 } from "node:buffer";
import { gunzipSync, inflateSync } from "node:zlib";

const DEPTH = 3;
const LARGEST = 1_000_000;

/**
 * A text, and what is encoded in it: base64, base32, hexadecimal digits, escapes of URLs, JSON, HTML, mails and shells, numbers of
 * bytes, gzip, words that are taken apart; each also inside of another one.
 */
export function* decodedTexts(text: string, depth = DEPTH): Generator<string> {
  yield text;
  if (depth === 0 || text.length > LARGEST) return;
  yield* turned(text); // Not decoded further: turned twice, a word is itself again.
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
  yield* unescaped(text);
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
  for (const [word] of text.matchAll(/(?<![\w+/-])[A-Z2-7]{16,}(?==*(?![\w+/-]))/g)) {
    const decoded = readable(fromBase32(word));
    if (decoded !== undefined) yield decoded;
  }
}

/** Texts with other escapes: `&#103;`, `=67`, `\147`, `67:68`, `103, 104`; and shell words and strings that are joined. */
function* unescaped(text: string): Generator<string> {
  if (/(?:&#x?[\da-f]{2,4};){4}/i.test(text))
    yield text.replaceAll(/&#(x?)([\da-f]{2,4});/gi, (_, hex: string, digits: string) =>
      String.fromCharCode(parseInt(digits, hex === "" ? 10 : 16)),
    );
  if (/=[\dA-F]{2}/.test(text))
    yield text.replaceAll(/=\r?\n/g, "").replaceAll(/=([\dA-F]{2})/g, (_, digits: string) => byte(digits, 16));
  if (/(?:\\[01][0-7]{2}){4}/.test(text))
    yield text.replaceAll(/\\([01][0-7]{2})/g, (_, digits: string) => byte(digits, 8)).replaceAll(/["']/g, "");
  for (const [list] of text.matchAll(/\b[\da-f]{2}(?:[:\s,]+(?:0x)?[\da-f]{2}\b){11,}/gi))
    yield list
      .split(/[:\s,]+/)
      .map((digits) => byte(digits.replace(/^0x/, ""), 16))
      .join("");
  for (const [list] of text.matchAll(/\b\d{2,3}(?:\s*,\s*\d{2,3}\b){11,}/g))
    yield list
      .split(/\s*,\s*/)
      .map((digits) => byte(digits, 10))
      .join("");
  if (/\w(?:""|'')\w|["']\s*[+.]\s*["']/.test(text)) yield text.replaceAll(/""|''|["']\s*[+.]\s*["']/g, "");
}

/** The words of a text from right to left, and with letters that are moved by half of the alphabet. */
function* turned(text: string): Generator<string> {
  const words = text.match(/[\w.-]{20,512}/g)?.filter((word) => /\d/.test(word) && /[-_.]/.test(word)) ?? [];
  if (words.length === 0) return;
  yield words.map((word) => Array.from(word).reverse().join("")).join("\n");
  yield words
    .map((word) => word.replaceAll(/[a-z]/gi, (letter) => String.fromCharCode(moved(letter.charCodeAt(0)))))
    .join("\n");
}

function moved(code: number): number {
  const first = code < 97 ? 65 : 97;
  return first + ((code - first + 13) % 26);
}

function byte(digits: string, base: number): string {
  return String.fromCharCode(parseInt(digits, base));
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function fromBase32(word: string): Buffer {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const letter of word) {
    value = ((value << 5) | BASE32.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 0xff);
  }
  return Buffer.from(bytes);
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

function textOf(bytes: Buffer): string | undefined {
  if (bytes.length < 8) return undefined;
  // UTF-16, as PowerShell encodes its commands.
  const wide = bytes.length % 2 === 0 && bytes.every((byte, index) => index % 2 === 0 || byte === 0);
  if (!wide && !isUtf8(bytes)) return undefined;
  const text = bytes.toString(wide ? "utf16le" : "utf8");
  return /^[\t\n\r\x20-\x7e\u00a0-\uffff]+$/.test(text) ? text : undefined;
}

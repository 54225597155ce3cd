import { Fix } from "../../contract/fix.ts";

/**
 * What a terminal acts on, except line feed and tab: control characters of both sets (among them ESC, CR and CSI), and the
 * characters that change the direction of a text.
 */
const ACTIVE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text with each character that a terminal acts on written as its number: data must not move the cursor or hide a part. */
export function escapeText(text: string): string {
  return text.replaceAll(ACTIVE, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}

/** A JSON text in which those characters are escapes of JSON. */
export function escapeJson(text: string): string {
  return text.replaceAll(ACTIVE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A value with {@link escapeText} applied to every string in it, the keys of objects included. */
export function escapeAll<Value>(value: Value): Value {
  return escaped(value) as Value;
}

function escaped(value: unknown): unknown {
  if (typeof value === "string") return escapeText(value);
  if (Array.isArray(value)) return value.map(escaped);
  if (value instanceof Date) return value;
  if (value instanceof Fix) return new Fix(escaped(value.parts) as Fix["parts"]);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [escapeText(key), escaped(part)]));
}

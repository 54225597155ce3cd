import { createHash, randomInt } from "node:crypto";

/** Letters and digits, so that a double click selects a key as a whole. */
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Begins every API key, so that scanners of secrets find one in a text. */
const MARK = "exai_";

/** Characters after the mark: 256 bits. */
const RANDOM_LENGTH = 43;

/** Characters of a key that are kept in clear, so that users recognize it; 208 bits are left. */
const PREFIX_LENGTH = MARK.length + 8;

/** What a key may be used for. No path asks for `admin` yet. */
export const API_KEY_SCOPES = ["chat", "files", "admin"] as const;

/** One of {@link API_KEY_SCOPES}. */
export type ApiKeyScope = (typeof API_KEY_SCOPES)[number];

/** A new random key. */
export function newApiKey(): string {
  return MARK + Array.from({ length: RANDOM_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}

/** Whether a text has the form of a key. */
export function isApiKey(text: string): boolean {
  return text.length === MARK.length + RANDOM_LENGTH && /^exai_[0-9A-Za-z]+$/.test(text);
}

/** What is stored of a key besides {@link apiKeyPrefix}: SHA-256 in hex. A random key needs no slow hash and no salt. */
export function apiKeyHash(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

export function apiKeyPrefix(key: string): string {
  return key.slice(0, PREFIX_LENGTH);
}

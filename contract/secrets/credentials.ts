import { decodedTexts } from "./decoded.ts";
import { isNamedCredential } from "./names.ts";

/** Formats of credentials. */
const SHAPES: readonly (readonly [name: string, pattern: RegExp])[] = [
  ["a private key", /-{3,}BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-{3,}/],
  ["a JSON Web Token", /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/],
  ["a Supabase access token", /\bsbp_(?:oauth_)?[0-9a-f]{40}\b/],
  ["a Supabase secret key", /\bsb_secret_[\w-]{16,}/],
  ["an AWS access key", /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ["a GitHub token", /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})/],
  ["a GitLab token", /\bglpat-[\w-]{20,}/],
  ["a Slack token", /\bxox[abeoprs]-[\w-]{10,}/],
  ["a Slack webhook", /hooks\.slack\.com\/services\/T\w+\/B\w+\/\w+/],
  ["a Google API key", /\bAIza[\w-]{35}\b/],
  ["a Stripe key", /\b[rs]k_(?:live|test)_\w{16,}/],
  ["an npm token", /\bnpm_[A-Za-z0-9]{36}\b/],
  ["a key of a model provider", /\bsk-(?:[a-z]+-)*[A-Za-z0-9_-]{20,}/],
  ["a Bearer token", /\bBearer\s+(?=[^\s]*\d)[\w.~+/-]{16,}=*/i],
  ["a Vault token", /\bhv[sbr]\.[\w-]{20,}/],
  ["a Hugging Face token", /\bhf_[A-Za-z]{30,}\b/],
  ["a PyPI token", /\bpypi-AgE[\w-]{20,}/],
  ["a DigitalOcean token", /\bdo[oprt]_v1_[0-9a-f]{64}\b/],
  ["a SendGrid key", /\bSG\.[\w-]{16,}\.[\w-]{16,}/],
  ["an age key", /\bAGE-SECRET-KEY-1[0-9A-Z]{50,}/],
  ["a webhook key", /\bwhsec_[A-Za-z0-9+/]{24,}/],
  ["an Azure key", /\b(?:Account|SharedAccess)Key=[A-Za-z0-9+/]{40,}/],
  ["a Telegram token", /\b\d{8,10}:AA[\w-]{33}\b/],
  ["a password in a URL", /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@'"]*:(?![$<*{])[^\s/@'"]{3,}@/i],
];

/** The format of a credential that a text contains; undefined if there is none. */
export function credentialShape(value: string): string | undefined {
  return SHAPES.find(([, pattern]) => pattern.test(value))?.[0];
}

/**
 * Why a value may be a credential: its format, its name, or its randomness. Undefined if it is not one. Encoded texts are decoded.
 *
 * @param name of the variable, key, label or option
 * @param place `free` for a place whose names are the user's own; `field` for a field of a schema, where `secret` and `token` are often
 *   names of other objects, and where random text is not a finding
 */
export function credentialIn(value: string, name = "", place: "free" | "field" = "free"): string | undefined {
  if (isNamedCredential(name, value) && (place === "free" || !isObjectName(name, value)))
    return "its name is typical of a credential";
  const inside = credentialInside(value);
  if (inside !== undefined) return inside;
  if (place === "free")
    for (const word of value.split(/[\s"'`,;=()[\]{}<>|&]+/))
      if (isRandom(word)) return "it is as random as a credential";
  return undefined;
}

/** What was found in long texts, such as files of configuration: each is a string of several resources. */
const FOUND = new Map<string, string | undefined>();

/** Why a text, or what is encoded in it, may contain a credential. */
function credentialInside(value: string): string | undefined {
  if (value.length < 200) return searched(value);
  if (!FOUND.has(value)) FOUND.set(value, searched(value));
  return FOUND.get(value);
}

function searched(value: string): string | undefined {
  for (const text of decodedTexts(value)) {
    const encoded = text === value ? "it has the format of" : "it is encoded, and has the format of";
    const shape = credentialShape(text);
    if (shape !== undefined) return `${encoded} ${shape}`;
    const assigned = assignedCredential(text);
    if (assigned !== undefined) return `it sets ${assigned}`;
  }
  return undefined;
}

/** Whether the value of a field is the name of another object, such as a Secret. A password is never one. */
function isObjectName(name: string, value: string): boolean {
  return !/pass|pwd/i.test(name) && /^[a-z\d]([a-z\d.-]*[a-z\d])?$/.test(value);
}

/** A name with its value in a longer text: of a shell, an option, an INI, YAML or JSON file, a connection string. */
const ASSIGNMENT =
  /(?:^|[\s"'`{,;&?([-])([A-Za-z_][\w.-]{2,60})["']?(?:\s*=\s*|:\s*|\s+(?=["']))("[^"\n\s]{4,}"|'[^'\n\s]{4,}'|[^\s"'`,;&(){}[\]<>|]{4,})(\(?)/g;

/** The name of a credential that a text sets to a literal value. */
function assignedCredential(text: string): string | undefined {
  if (!/pass|pwd|secret|token|key|credential|authorization/i.test(text)) return undefined;
  for (const [, name = "", given = "", call] of text.matchAll(ASSIGNMENT)) {
    const quoted = /^["']/.test(given);
    const value = quoted ? given.slice(1, -1) : given;
    // Without quotes, words and dotted names are variables of a program, or prose.
    if (call === "(" || (!quoted && !/\d/.test(value)) || /^[\w$]+(?:\.[A-Za-z_$][\w$]*)+$/.test(value)) continue;
    if (isNamedCredential(name, value) && !/^[A-Z][A-Z_]*$/.test(value)) return name;
  }
  return undefined;
}

/** Entropy, in bits per character, that random words in base64 or hexadecimal digits exceed and other words do not. */
const RANDOM_BITS = { base64: 4.2, hex: 3.2 };

function isRandom(word: string): boolean {
  if (word.length < 24 || word.length > 512) return false;
  // Digests and UUIDs are random but public.
  if (/sha(?:1|256|384|512)[:-]/i.test(word) || /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(word))
    return false;
  if (/^[0-9a-f]{32,}$/i.test(word)) return /\d/.test(word) && /[a-f]/i.test(word) && entropy(word) > RANDOM_BITS.hex;
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(word)) return false;
  const classes = [/[a-z]/, /[A-Z]/, /\d/].filter((pattern) => pattern.test(word)).length;
  // Words and paths have long runs of one case; random text changes case every few characters.
  const changes = (word.match(/[a-z][A-Z0-9]|[A-Z][a-z0-9]|\d[A-Za-z]/g) ?? []).length;
  return classes === 3 && changes >= word.length / 4 && entropy(word) > RANDOM_BITS.base64;
}

/** Shannon entropy, in bits per character. */
function entropy(word: string): number {
  const counts = new Map<string, number>();
  for (const letter of word) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - (count / word.length) * Math.log2(count / word.length), 0);
}

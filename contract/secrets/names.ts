// cspell:ignore hotp totp

/** A name that a credential has: of a password, or of another credential, whose name other values may have, too. */
export type CredentialName = "password" | "credential";

const PASSWORD = /^(?:\w*passw(?:or)?d|pwd|passphrase|(?:user|db|root|admin|require|login)?pass|passcode)s?$/;
const CREDENTIAL = /^(?:\w*secret|\w*token|\w*apikey|credential|authorization|privatekey|secretkey|accesskey|pat)s?$/;

/** Words before `key` that make it one that opens something, unlike a sort key, a routing key or a public key. */
const KEYS = new Set(
  "api access private auth signing signature encryption master account batch storage shared secret role admin jwt session cookie hmac aes ssh deploy".split(
    " ",
  ),
);

/** Words before `seed` that make it one that opens something, unlike that of random numbers or of a database. */
const SEEDS = new Set("totp otp hotp mfa 2fa wallet signing".split(" "));

/** Words after a credential's that do not make the name one of something else. */
const QUALIFIERS =
  /^(?:v?\d+|old|new|current|previous|next|prod|production|staging|dev|test|value|raw|text|plain|b64|base64|encoded|string|default|root|admin|main|primary|secondary|live|content|hex|key)$/;

/** Words after a credential's that make it a reference, whose value shows whether it is one. */
const REFERENCES = ["file", "path", "dir", "directory", "name", "url", "uri"];

/** Names of HTTP headers that carry a credential. */
const HEADERS = /^(?:proxy-)?authorization$|^x-[\w-]*(?:api-key|token|secret)$/i;

/** The words of a name in any case: `DB_PASS`, `clientSecretV2`, `x-api-key`. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z\d])([A-Z])/g, "$1_$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z\d]+/)
    .filter((word) => word !== "");
}

/** Whether a variable, key, label or option has the name of a credential, and its value is not visibly something else. */
export function isNamedCredential(name: string, value: string): boolean {
  const kind = credentialName(name, value.trim());
  return kind !== undefined && !isHarmless(value.trim(), kind);
}

/** The kind of credential that a name is of; undefined for another name. */
function credentialName(name: string, value: string): CredentialName | undefined {
  if (HEADERS.test(name)) return "credential";
  // The directory of a shell.
  if (/^(?:OLD)?PWD$/.test(name) && /^\/[\w./-]*$/.test(value)) return undefined;
  const words = wordsOf(name);
  const at = words.findLastIndex(
    (word, index) =>
      PASSWORD.test(word) ||
      CREDENTIAL.test(word) ||
      word === "mnemonic" ||
      (word === "seed" && SEEDS.has(words[index - 1] ?? "")) ||
      (/^keys?$/.test(word) && (KEYS.has(words[index - 1] ?? "") || words[index + 1] === "content")),
  );
  if (at === -1) return undefined;
  const kind = PASSWORD.test(words[at] ?? "") ? "password" : "credential";
  const rest = words.slice(at + 1).filter((word) => !QUALIFIERS.test(word));
  if (rest.length === 0) return kind;
  const [last = ""] = rest.slice(-1);
  return rest.length === 1 && REFERENCES.includes(last) && !isReference(last, kind, value) ? kind : undefined;
}

function isReference(word: string, kind: CredentialName, value: string): boolean {
  if (word === "url" || word === "uri") return /^[a-z][a-z\d+.-]*:\/\/[^\s@]*$/i.test(value) || !/\S{8,}/.test(value);
  // A Secret has a name; a password has none.
  if (word === "name") return kind === "credential" && /^[A-Za-z\d][\w./-]*$/.test(value);
  return /[/\\]/.test(value) || /\.\w{1,5}$/.test(value) || value === "";
}

const SWITCH =
  /^(?:true|false|yes|no|on|off|none|null|nil|undefined|required|optional|disabled|enabled|auto|default)$/i;
/** A reference to a variable, without a default that would be the value; a template; a placeholder. */
const REFERENCE =
  /^(?:(?:Bearer|Basic|Token)\s+)?(?:\$\(\w+\)|\$\{\w+\}|\$\w+|\{\{.*\}\}|%[\w({].*[)}%]|<[^<>]*>|\*+|\.{3}|…)$/i;
const PATH = /^(?:\/(?:run|var|etc|mnt|secrets?|tmp|home|opt|usr|app|data|srv|vault)\/|\.{1,2}\/|~\/)[\w./-]*$/;
const NUMBER = /^\d{1,9}(?:\.\d+)?(?:ms|s|m|h|d|[KMG]i?B?)?$/;
const PLAIN_URL = /^https?:\/\/[\w.-]+(?::\d+)?(?:\/[\w./-]*)?$/i;

function isHarmless(value: string, kind: CredentialName): boolean {
  if (value.length < 4) return true;
  if (kind !== "password" && NUMBER.test(value)) return true;
  return [SWITCH, REFERENCE, PATH, PLAIN_URL].some((pattern) => pattern.test(value));
}

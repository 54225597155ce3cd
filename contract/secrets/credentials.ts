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
  ["a password in a URL", /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@'"]*:(?![$<*{])[^\s/@'"]{3,}@/i],
];

/** The format of a credential that a text contains; undefined if there is none. */
export function credentialShape(value: string): string | undefined {
  return SHAPES.find(([, pattern]) => pattern.test(value))?.[0];
}

/** Names of variables and keys that hold a credential. */
const NAMES =
  /(?:^|[_.\-\s])(?:secret|token|password|passwd|pwd|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|service[_-]?role[_-]?key|credentials?|auth[_-]?key|signing[_-]?key|encryption[_-]?key|(?:account|batch|storage|shared|master)[_-]?key|key[_-]content|webhook[_-]?url)s?$|(?:secret|password|apikey|token)$/i;

/** Values such as paths and switches, which are not credentials even under such a name. */
const HARMLESS =
  /^(?:|true|false|yes|no|none|null|\d{1,9}(?:\.\d+)?(?:ms|s|m|h|d)?|\/[\w./-]*|\$\(.*\)|\$\{.*\}|<.*>|\*+|https?:\/\/[\w.:/-]*)$/i;

/**
 * Why a value may be a credential: its format, its name, or its randomness. Undefined if it is not one. `name` is the name
 * of the variable, key or label.
 */
export function credentialIn(value: string, name = ""): string | undefined {
  const shape = credentialShape(value);
  if (shape !== undefined) return `it has the format of ${shape}`;
  if (NAMES.test(name) && !/_(?:FILE|PATH|NAME|DIR|URI?)$/i.test(name) && !HARMLESS.test(value.trim()))
    return "its name is typical of a credential";
  for (const word of value.split(/[\s"'`,;=()[\]{}<>|&]+/))
    if (isRandom(word)) return "it is as random as a credential";
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

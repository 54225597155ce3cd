import { decodedWord } from "./decoded.ts";
import { isEncrypted } from "./shapes.ts";

/** Entropy, in bits per character, that random words exceed and other words do not. */
const RANDOM_BITS = { base64: 4.2, hex: 3.2, base32: 3.8, seed: 2.8, password: 3.6 };

/** Names of values that are random and public: digests, revisions, identifiers, public keys, certificates. */
const PUBLIC_NAME =
  /(?:^|[^a-z])(?:sha\d*|md5|commit|rev|revision|digest|checksum|hash|etag|fingerprint|thumbprint|integrity|version|build|uid|uuid|guid|nonce|trace|span|pub|public|publishable|anon|cert|certificate|certs|ca|crt|pem|chain|bundle|jwks|known_?hosts|image|tag|ref|signature|encrypted)(?:$|[^a-z])/;

/** Parts of a text that are random and public. */
const PUBLIC_PARTS = [
  // PEM, except for private keys, whose format is found before.
  /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g,
  /\b(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\w+|sk-[\w-]+@openssh\.com)\s+AAAA[A-Za-z0-9+/]+={0,2}/g,
  /\bsha(?:1|224|256|384|512)[:=-][A-Za-z0-9+/]+={0,2}/gi,
  // The public members of a JSON Web Key.
  /"(?:n|x|y|kid|x5t(?:#S256)?)"\s*:\s*"[\w-]+"/g,
  /"x5c"\s*:\s*\[[^\]]*\]/g,
  // A line of `sha256sum`; a revision of a repository.
  /^[0-9a-f]{32,128} [ *]\S+$/gm,
  /[@#/](?:[0-9a-f]{40}|[0-9a-f]{64})(?![0-9a-f])/g,
  /\b(?:commit|checkout|rev-parse|revision|digest|integrity)[\s:="']+[0-9a-f]{40,64}\b/gi,
  /data:(?:image|font|audio|video)\/[\w.+-]+;base64,[A-Za-z0-9+/]+={0,2}/g,
  /\bsb_publishable_[\w-]+/g,
  /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi,
];

/** Whether a text has a word that is as random as a credential, and not one of those that are random and public. */
export function hasRandomWord(value: string): boolean {
  if (isRandomPassword(value) || isSeed(value.trim())) return true;
  if (!/[\w+/-]{24}/.test(value)) return false;
  const rest = PUBLIC_PARTS.reduce((text, pattern) => text.replaceAll(pattern, " "), value);
  return rest.split(/[\s"'`,;:=()[\]{}<>|&]+/).some((word, index, words) => {
    // The padding of base64 was split off; a name before the word may say that it is public.
    return isRandom(word) && !isPublicName(words[index - 1] ?? "");
  });
}

/** Whether values of a name are random and public, e.g. `GIT_COMMIT` or `caBundle`. */
export function isPublicName(name: string): boolean {
  return PUBLIC_NAME.test(name.replace(/([a-z\d])([A-Z])/g, "$1_$2").toLowerCase());
}

function isRandom(word: string): boolean {
  if (word.length < 24 || word.length > 512 || isEncrypted(word)) return false;
  if (/^[0-9a-f]{32,}$/i.test(word)) return /\d/.test(word) && /[a-f]/i.test(word) && entropy(word) > RANDOM_BITS.hex;
  if (/^[A-Z2-7]{32,}$/.test(word))
    return /\d.*\d.*\d/.test(word) && entropy(word) > RANDOM_BITS.base32 && !isAlphabet(word);
  if (!/^[A-Za-z0-9+/_-]+$/.test(word) || isPublicDer(word)) return false;
  if (!isMixed(word) || entropy(word) <= RANDOM_BITS.base64) return false;
  const text = decodedWord(word);
  return text === undefined || hasRandomWord(text);
}

/** A seed of one-time passwords: base32 of 10 to 20 bytes as apps show it, also in groups of four. */
function isSeed(value: string): boolean {
  const word = /^[A-Z2-7]{4}(?:[ -][A-Z2-7]{4}){3,}$/.test(value) ? value.replaceAll(/[ -]/g, "") : value;
  return (
    /^(?:[A-Z2-7]{16}|[A-Z2-7]{24}|[A-Z2-7]{26}|[A-Z2-7]{32})={0,6}$/.test(word) &&
    // Names have their digits at the end, or after a word.
    /[A-Z][2-7]+[A-Z]+[2-7]+[A-Z]/.test(word) &&
    !/[A-Z]{9}/.test(word) &&
    entropy(word) > RANDOM_BITS.seed &&
    !isAlphabet(word)
  );
}

/** Whether most characters follow on the one before. */
function isAlphabet(word: string): boolean {
  const steps = Array.from(word).filter((letter, index) => letter.charCodeAt(0) === word.charCodeAt(index - 1) + 1);
  return steps.length > word.length / 2;
}

/** A password with punctuation, which no identifier, path or expression has in this way. */
function isRandomPassword(value: string): boolean {
  if (!/^[A-Za-z0-9!@#$%^&*~+=_-]{14,64}$/.test(value) || /^[^@]+@[\w-]+\.\w|\$[A-Za-z_]{2}|%[\dA-F]{2}/.test(value))
    return false;
  const classes = [/[a-z]/, /[A-Z]/, /\d/, /[!@#$%^&*~].*[!@#$%^&*~]/];
  const kinds = value
    .replaceAll(/[a-z]/g, "a")
    .replaceAll(/[A-Z]/g, "b")
    .replaceAll(/\d/g, "c")
    .replaceAll(/[^abc]/g, "d");
  const changes = (kinds.match(/(.)(?!\1|$)/g) ?? []).length;
  return (
    classes.every((each) => each.test(value)) && changes >= value.length / 2 && entropy(value) > RANDOM_BITS.password
  );
}

/** Words and paths have long runs of one case; random text changes case every few characters. */
function isMixed(word: string): boolean {
  const classes = [/[a-z]/, /[A-Z]/, /\d/].filter((pattern) => pattern.test(word)).length;
  const changes = (word.match(/[a-z][A-Z0-9]|[A-Z][a-z0-9]|\d[A-Za-z]/g) ?? []).length;
  return classes === 3 && changes >= word.length / 5;
}

/** Whether a word is base64 of a certificate or a public key in DER: a sequence that begins with another one. */
function isPublicDer(word: string): boolean {
  if (!/^M[A-Z]/.test(word)) return false;
  const bytes = Buffer.from(word, "base64");
  const header = (bytes[1] ?? 0) < 0x80 ? 2 : 2 + ((bytes[1] ?? 0) & 0x7f);
  // Or, in PKCS #1, with a long number.
  return bytes[0] === 0x30 && (bytes[header] === 0x30 || (bytes[header] === 0x02 && (bytes[header + 1] ?? 0) >= 0x80));
}

/** Shannon entropy, in bits per character. */
function entropy(word: string): number {
  const counts = new Map<string, number>();
  for (const letter of word) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - (count / word.length) * Math.log2(count / word.length), 0);
}

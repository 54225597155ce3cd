// cspell:ignore botpauth btskey heroku hrku napi pcsk

// cspell:ignore pplx tvly nvapi GOCSPX bdapi soat bdckr bpul atlasv bsntry NRAK ATATT bpscale scim bshp webhookb valkey mysqldump mysqladmin bsshpass skopeo
/** Formats of credentials: of model providers, of Supabase, of clouds and platforms, of messages, of files and commands. */
const SHAPES: readonly (readonly [name: string, pattern: RegExp])[] = [
  // Model providers. After the prefix, words such as `sk-loading-indicator` have no long run with a digit.
  [
    "a key of a model provider",
    /\bsk-(?:[a-z]+\d*-)*(?=[A-Za-z_-]*\d)(?:[A-Za-z0-9_]{20,}|(?<=\bsk-ant-[a-z]*\d*-)[\w-]{20,})/,
  ],
  ["a key of GLM", /(?<![\w.-])[0-9a-f]{32}\.(?=[A-Za-z]*\d|[a-z]*[A-Z])[A-Za-z0-9]{16}(?![\w-]|\.\w)/],
  ["a key of a model provider", /\b(?:gsk_|xai-|pplx-|r8_|tvly-(?:dev-)?|fw_|csk-|nvapi-)(?=[A-Za-z_-]*\d)\w{24,}/],
  ["a Google API key", /\bAIza[\w-]{35}(?![\w-])/],
  ["a Hugging Face token", /\bhf_[A-Za-z]{30,}\b/],
  // Supabase
  ["a Supabase access token", /\bsbp_(?:oauth_|v0_)?[0-9a-f]{40}\b/],
  ["a Supabase secret key", /\bsb_secret_[\w-]{16,}/],
  // Clouds and platforms
  ["an AWS access key", /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ["a Google OAuth secret", /\bGOCSPX-[\w-]{20,}|\bya29\.[\w-]{20,}/],
  ["an Azure key", /\b(?:Account|SharedAccess)Key=[A-Za-z0-9+/]{40,}/],
  ["a signed URL", /[?&]X-(?:Amz|Goog)-Signature=[0-9a-f]{40,}/i],
  ["a signed Azure URL", /[?&]sig=[\w%+/-]{40,}/],
  ["a DigitalOcean token", /\bdo[oprt]_v1_[0-9a-f]{64}\b/],
  ["a Databricks token", /\bdapi[0-9a-f]{32}\b/],
  ["a GitHub token", /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})/],
  ["a GitLab token", /\bgl(?:pat|ptt|dt|rt|cbt|ft|soat|agent)-[\w-]{20,}/],
  ["an npm token", /\bnpm_[A-Za-z0-9]{36}\b/],
  ["a PyPI token", /\bpypi-AgE[\w-]{20,}/],
  ["a Docker Hub token", /\bdckr_[a-z]+_[\w-]{20,}/],
  ["a Pulumi token", /\bpul-[0-9a-f]{40}\b/],
  ["a Vault token", /\bhv[sbr]\.[\w-]{20,}/],
  ["a HashiCorp token", /\b\w{14}\.atlasv1\.[\w-]{60,}/],
  ["a Grafana token", /\bgl(?:sa_\w{32}_|c_eyJ)[\w+/=]{8,}/],
  ["a Sentry token", /\bsntry[su]_[\w+/=-]{20,}/],
  ["a New Relic key", /\bNRAK-[A-Z0-9]{27}\b/],
  ["an Atlassian token", /\bATATT3x[\w=-]{40,}/],
  ["a Notion token", /\b(?:ntn_|secret_)(?=[A-Za-z]*\d)[A-Za-z0-9]{40,}\b/],
  ["a PlanetScale password", /\bpscale_(?:pw|tkn|oauth)_[\w.-]{20,}/],
  ["a Doppler token", /\bdp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{30,}/],
  ["an Azure client secret", /(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~-])/],
  ["a Cloudflare key", /\bv1\.0-[0-9a-f]{24}-[0-9a-f]{64,}\b/],
  ["a Heroku key", /\bHRKU-[\w-]{36,}/],
  ["a Tailscale key", /\btskey-[a-z]+-[\w-]{20,}/],
  // `lin_api_…`, `napi_…_key_…`: the prefixes by which scanners of repositories know them.
  [
    "a key with a prefix",
    /(?<![^\W_])(?:api|key|sk|pat|phx|pcsk|tok|token|secret|oauth)_(?:[a-z\d]+_)*(?=(?:[A-Za-z]*\d){3})(?=[A-Z\d]*[a-z])[A-Za-z0-9]{24,}\b/,
  ],
  // Payments and messages
  ["a Stripe key", /\b[rs]k_(?:live|test)_\w{16,}/],
  ["a Shopify token", /\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b/],
  ["a Slack token", /\bx(?:ox[abeoprs]|app)-[\w-]{10,}/],
  ["a webhook that is a secret", /hooks\.slack\.com\/(?:services|workflows|triggers)\/\w+\/\w+\/\w+/],
  [
    "a webhook that is a secret",
    /discord(?:app)?\.com\/api\/webhooks\/\d+\/[\w-]{20,}|\.webhook\.office\.com\/webhookb2\//,
  ],
  ["a webhook key", /\bwhsec_[A-Za-z0-9+/]{24,}/],
  ["a SendGrid key", /\bSG\.[\w-]{16,}\.[\w-]{16,}/],
  ["a Mailgun key", /\bkey-[0-9a-f]{32}\b/],
  ["a Twilio key", /\bSK[0-9a-f]{32}\b/],
  ["a Discord token", /\b[MNO][A-Za-z\d_-]{23,27}\.[\w-]{6}\.[\w-]{27,}(?![\w.-])/],
  ["a seed of one-time passwords", /\botpauth:\/\/\S*[?&]secret=[A-Za-z2-7]{8,}/i],
  ["a Telegram token", /\b\d{8,10}:AA[\w-]{33}(?![\w-])/],
  // Keys in files
  ["a private key", /-{3,}BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-{3,}|\bPuTTY-User-Key-File-\d/],
  ["a private key", /"kty"\s*:(?=[^{}]*"(?:d|k)"\s*:\s*"[\w-]{16,}")|"(?:d|k)"\s*:\s*"[\w-]{16,}"(?=[^{}]*"kty"\s*:)/],
  ["an age key", /\bAGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{50,}/],
  ["a login for a registry", /"auth"\s*:\s*"[A-Za-z0-9+/]{8,}={0,2}"/],
  ["a line of a pgpass file", /^[\w.*-]+:(?:\d{4,5}|\*):[\w*-]+:[\w-]+:[^\s:$]{4,}$/m],
  [
    "a hash of a password",
    /\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}|\$argon2(?:id|i|d)\$v=|\$[156y]\$(?:rounds=\d+\$|j\w+\$)?[./A-Za-z0-9]{4,}\$[./A-Za-z0-9]{22,}|\bSCRAM-SHA-256\$\d+:/,
  ],
  ["a login of a netrc file", /\bmachine\s+\S+\s+login\s+\S+\s+password\s+\S{3,}/],
  // Requests and commands
  ["a Bearer token", /\bBearer\s+(?=[^\s]*\d)[\w.~+/-]{16,}=*/i],
  ["a password in a URL", /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@'"]*:(?![$<*{])[^\s/'"]{3,}@/i],
  [
    "a password of a command",
    /\b(?:curl|wget|http)\b.*\s(?:-u|--user)[\s=]*["']?[^\s:"'$]+:(?![$<*{]|\d+\b)[^\s"']{4,}/,
  ],
  ["a password of a command", /\b(?:redis-cli|valkey-cli)\b.*\s(?:-a|--pass)\s+["']?(?![$<*{-])[^\s"']{4,}/],
  ["a password of a command", /\b(?:mysql|mysqldump|mysqladmin|mariadb)\b.*\s-p(?![$<*{"'\s])[^\s"']{4,}/],
  ["a password of a command", /\bsshpass\s+-p\s*["']?(?![$<*{])[^\s"']{4,}/],
  [
    "a password of a command",
    /\b(?:docker|podman|helm|skopeo|crane)\b.*\blogin\b.*\s-p[\s=]*["']?(?![$<*{-])[^\s"']{4,}/,
  ],
  ["a password of a command", /\s-pass(?:in|out)?\s+["']?pass:(?![$<*{])[^\s"']{4,}/],
];

/** The format of a credential that a text contains; undefined if there is none. */
export function credentialShape(value: string): string | undefined {
  for (const [token, payload = ""] of value.matchAll(/\beyJ[\w-]{8,}\.(eyJ[\w-]{8,})\.[\w-]{8,}/g))
    if (!isPublicToken(payload) && !isEncrypted(token)) return "a JSON Web Token";
  for (const [, encoded = ""] of value.matchAll(/\bBasic\s+([A-Za-z0-9+/]{8,}={0,2})/g))
    if (/^[\x21-\x7e]*:[\x20-\x7e]+$/.test(Buffer.from(encoded, "base64").toString("latin1"))) return "a login";
  for (const [word] of value.matchAll(/\bMI[A-Z][A-Za-z0-9+/]{60,}={0,2}/g))
    if (isPrivateDer(Buffer.from(word, "base64"))) return "a private key";
  return SHAPES.find(([, pattern]) => pattern.test(value))?.[0];
}

/** Whether the payload of a JSON Web Token is that of Supabase's `anon` role, whose key every browser gets. */
function isPublicToken(payload: string): boolean {
  try {
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as { role?: unknown; iss?: unknown };
    return claims.role === "anon" && typeof claims.iss === "string" && claims.iss.startsWith("supabase");
  } catch {
    return false;
  }
}

/** Whether a text was encrypted by a tool that keeps encrypted values in files: only its owner can read it. */
export function isEncrypted(value: string): boolean {
  if (
    /^(?:ENC\[\w+,|vault:v\d+:|\$ANSIBLE_VAULT;|-----BEGIN (?:AGE ENCRYPTED FILE|PGP MESSAGE)-----)/.test(value.trim())
  )
    return true;
  // Sealed Secrets: two bytes with the length of an RSA block, and then the block.
  if (!/^Ag[A-D][\w+/]{700,}={0,2}$/.test(value.trim())) return false;
  return Buffer.from(value.trim(), "base64").readUInt16BE(0) === 0x0200;
}

/** Whether bytes begin as PKCS #1, PKCS #8 or SEC 1 encode a private key: a sequence whose first element is version 0 or 1. */
function isPrivateDer(bytes: Buffer): boolean {
  if (bytes[0] !== 0x30) return false;
  const header = (bytes[1] ?? 0) < 0x80 ? 2 : 2 + ((bytes[1] ?? 0) & 0x7f);
  return bytes[header] === 0x02 && bytes[header + 1] === 0x01 && (bytes[header + 2] ?? 9) <= 1;
}

/*
 * Edge function: says whether a token of the EX-AI server is valid.
 *
 * One file, because the engine's provider uploads the entry point alone. The gateway may itself ask for a token of the
 * project in the header, so the token to be judged may also come in the body.
 */

/** What the function is deployed with; each is a secret of the project. */
interface Settings {
  /** Key that tokens are signed with. */
  readonly current: string | undefined;
  /** The key before the last rotation: its tokens are valid until they expire. */
  readonly previous: string | undefined;
  /** Origins that a browser may ask from, separated by commas; none if absent. */
  readonly origins?: string | undefined;
}

/** Longest request body that is read, in bytes: a token is far shorter. */
const LONGEST_BODY = 16_384;

/**
 * Answers 200 with the claims of a valid token, 401 for any other, 400 where there is none to judge, 405 and 413 for
 * requests of another form, 503 while the function has no key. The token is the bearer of the request or, for a caller
 * that has its own token there, `{"token": "…"}` in a POST.
 */
function handler(settings: Settings, now: () => number = () => Date.now() / 1000) {
  const keys = [settings.current, settings.previous].filter((key): key is string => key !== undefined && key !== "");
  const origins = new Set(
    (settings.origins ?? "")
      .split(",")
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ""),
  );

  return async (request: Request): Promise<Response> => {
    const headers = corsHeaders(request.headers.get("origin"), origins);
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers });
    if (request.method !== "POST" && request.method !== "GET")
      return answer(405, { error: "use GET or POST" }, { ...headers, allow: "GET, POST, OPTIONS" });
    if (settings.current === undefined || settings.current === "")
      return answer(503, { error: "no key is configured" }, headers);
    let token: string | undefined;
    try {
      token = await tokenOf(request);
    } catch (error) {
      if (error instanceof RequestError) return answer(error.status, { error: error.message }, headers);
      throw error;
    }
    if (token === undefined)
      return answer(400, { error: "no token was given" }, { ...headers, "www-authenticate": "Bearer" });
    try {
      const claims: Claims = await verify(token, keys, now());
      return answer(200, { valid: true, claims }, headers);
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      const challenge = `Bearer error="invalid_token", error_description="${error.message}"`;
      return answer(401, { valid: false, error: error.message }, { ...headers, "www-authenticate": challenge });
    }
  };
}

class RequestError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The token of the body, else the bearer. */
async function tokenOf(request: Request): Promise<string | undefined> {
  if (request.method === "POST") {
    const body = await boundedBody(request);
    if (body !== "") {
      let parsed: unknown;
      try {
        parsed = JSON.parse(body);
      } catch {
        throw new RequestError(400, "the body is not JSON");
      }
      const token = typeof parsed === "object" && parsed !== null ? (parsed as { token?: unknown }).token : undefined;
      if (typeof token === "string") return token;
      if (token !== undefined) throw new RequestError(400, "the token is not a string");
    }
  }
  return /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

async function boundedBody(request: Request): Promise<string> {
  if (request.body === null) return "";
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.length;
    if (length > LONGEST_BODY) throw new RequestError(413, "the body is too long");
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return new TextDecoder().decode(bytes);
}

/** Only an origin that is listed is named back; to others the browser shows nothing. */
function corsHeaders(origin: string | null, origins: ReadonlySet<string>): Record<string, string> {
  const headers: Record<string, string> = { vary: "Origin" };
  if (origin !== null && origins.has(origin)) {
    headers["access-control-allow-origin"] = origin;
    headers["access-control-allow-methods"] = "GET, POST, OPTIONS";
    headers["access-control-allow-headers"] = "authorization, content-type, apikey, x-client-info";
    headers["access-control-max-age"] = "600";
  }
  return headers;
}

function answer(status: number, body: unknown, headers: Record<string, string>): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store", ...headers },
  });
}

/** Claims of a verified token. */
interface Claims {
  readonly exp: number;
  readonly nbf?: number;
  readonly iat?: number;
  readonly sub?: string;
  readonly [claim: string]: unknown;
}

/** Why a token is not valid; the message reveals nothing that a forger could use. */
class TokenError extends Error {}

/** How far the clocks of issuer and verifier may be apart, in seconds. */
const LEEWAY_SECONDS = 30;

/**
 * Verifies a JWT that is signed with HS256 and returns its claims. `keys` are tried in turn, the current one first;
 * `now` is in Unix seconds. A token without `exp` is refused: it would outlive every rotation.
 */
async function verify(token: string, keys: readonly string[], now: number): Promise<Claims> {
  const [header, payload, signature, ...more] = token.split(".");
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0)
    throw new TokenError("malformed token");
  const { alg, crit } = object(header);
  // The algorithm is ours to choose and not the token's: `none` and the asymmetric ones are how tokens are forged.
  if (alg !== "HS256") throw new TokenError("unsupported algorithm");
  if (crit !== undefined) throw new TokenError("unsupported critical header");

  const signed = new TextEncoder().encode(`${header}.${payload}`);
  const given = bytes(signature);
  let genuine = false;
  for (const key of keys) genuine = (await matches(key, given, signed)) || genuine;
  if (!genuine) throw new TokenError("signature mismatch");

  const claims = object(payload);
  const { exp, nbf, iat } = claims;
  if (typeof exp !== "number" || !Number.isFinite(exp)) throw new TokenError("token without expiry");
  if (now >= exp + LEEWAY_SECONDS) throw new TokenError("token expired");
  for (const instant of [nbf, iat]) {
    if (instant === undefined) continue;
    if (typeof instant !== "number") throw new TokenError("malformed token");
    if (now < instant - LEEWAY_SECONDS) throw new TokenError("token not yet valid");
  }
  return claims as Claims;
}

/** Compares in constant time, as WebCrypto does. */
async function matches(
  secret: string,
  signature: Uint8Array<ArrayBuffer>,
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, ["verify"]);
  return crypto.subtle.verify("HMAC", key, signature, signed);
}

function object(part: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes(part)));
  } catch {
    throw new TokenError("malformed token");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw new TokenError("malformed token");
  return parsed as Record<string, unknown>;
}

/** Decodes base64url without padding, strictly: two spellings of one signature would be two tokens. */
function bytes(part: string): Uint8Array<ArrayBuffer> {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) throw new TokenError("malformed token");
  const text = part.replaceAll("-", "+").replaceAll("_", "/");
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    throw new TokenError("malformed token");
  }
  if (btoa(binary).replaceAll("=", "") !== text) throw new TokenError("malformed token");
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

Deno.serve(
  handler({
    current: Deno.env.get("EXAI_JWT_TOKEN"),
    previous: Deno.env.get("EXAI_JWT_TOKEN_PREVIOUS"),
    origins: Deno.env.get("EXAI_ALLOWED_ORIGINS"),
  }),
);

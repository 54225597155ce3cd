import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** The function registers itself with Deno.serve; Node has the same web APIs, so its handler runs here without changes. */
let handle: (request: Request) => Promise<Response>;
const environment = {
  EXAI_JWT_TOKEN: "current-key-of-at-least-32-bytes!",
  EXAI_JWT_TOKEN_PREVIOUS: "previous-key-of-at-least-32-bytes",
  EXAI_ALLOWED_ORIGINS: "https://app.example.com, https://admin.example.com",
};

beforeAll(async () => {
  Object.assign(globalThis, {
    Deno: {
      env: { get: (name: keyof typeof environment) => environment[name] },
      serve: (handler: typeof handle) => (handle = handler),
    },
  });
  // A variable, since the file is Deno's and no part of this program's types.
  const path = new URL("../../supabase/functions/verify-jwt/index.ts", import.meta.url).href;
  await import(path);
});
afterAll(() => {
  delete (globalThis as { Deno?: unknown }).Deno;
});

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = Math.floor(Date.now() / 1000);

function token(
  claims: Record<string, unknown>,
  key = environment.EXAI_JWT_TOKEN,
  header: Record<string, unknown> = { alg: "HS256", typ: "JWT" },
): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}
const ask = (bearer: string, init: { method?: string; body?: string } = {}) =>
  handle(new Request("https://x/verify-jwt", { ...init, headers: { authorization: `Bearer ${bearer}` } }));
const valid = { sub: "alice", exp: now + 600 };

describe("a valid token", () => {
  it("is answered with its claims", async () => {
    const answer = await ask(token(valid));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ valid: true, claims: valid });
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  it("may be signed with the previous key", async () => {
    expect((await ask(token(valid, environment.EXAI_JWT_TOKEN_PREVIOUS))).status).toBe(200);
  });

  it("may come in the body, where the header has another", async () => {
    const init = { method: "POST", body: JSON.stringify({ token: token(valid) }) };
    expect((await ask("other-token", init)).status).toBe(200);
  });

  it("may be a little ahead of our clock", async () => {
    expect((await ask(token({ ...valid, nbf: now + 10, iat: now + 10 }))).status).toBe(200);
  });
});

describe("any other token is refused with 401", () => {
  const flipped = (text: string) => {
    const [header, payload, signature] = text.split(".") as [string, string, string];
    return `${header}.${payload}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
  };
  it.each([
    ["an unknown key", () => token(valid, "another-key-of-at-least-32-bytes!!"), "signature mismatch"],
    ["a changed signature", () => flipped(token(valid)), "signature mismatch"],
    [
      "changed claims",
      () => `${encode({ alg: "HS256" })}.${encode({ ...valid, sub: "bob" })}.${token(valid).split(".")[2] ?? ""}`,
      "signature mismatch",
    ],
    ["no algorithm", () => `${encode({ alg: "none" })}.${encode(valid)}.AA`, "unsupported algorithm"],
    ["another algorithm", () => token(valid, undefined, { alg: "RS256" }), "unsupported algorithm"],
    [
      "a critical extension",
      () => token(valid, undefined, { alg: "HS256", crit: ["b64"] }),
      "unsupported critical header",
    ],
    ["an expiry in the past", () => token({ ...valid, exp: now - 60 }), "token expired"],
    ["no expiry", () => token({ sub: "alice" }), "token without expiry"],
    ["an expiry that is not a number", () => token({ exp: "9999999999" }), "token without expiry"],
    ["a start in the future", () => token({ ...valid, nbf: now + 600 }), "token not yet valid"],
    ["two parts", () => "a.b", "malformed token"],
    ["no JSON", () => "YQ.YQ.YQ", "malformed token"],
    ["padding", () => `${token(valid)}=`, "malformed token"],
  ])("%s", async (_, make, error) => {
    const answer = await ask(make());
    expect(answer.status).toBe(401);
    expect(await answer.json()).toEqual({ valid: false, error });
    expect(answer.headers.get("www-authenticate")).toContain("invalid_token");
  });
});

describe("requests", () => {
  it("without a token are 400", async () => {
    expect((await handle(new Request("https://x/"))).status).toBe(400);
    expect((await handle(new Request("https://x/", { method: "POST", body: "{" }))).status).toBe(400);
    expect((await handle(new Request("https://x/", { method: "POST", body: '{"token": 1}' }))).status).toBe(400);
  });

  it("of another method are 405, and too long ones 413", async () => {
    expect((await handle(new Request("https://x/", { method: "DELETE" }))).status).toBe(405);
    expect((await handle(new Request("https://x/", { method: "POST", body: "x".repeat(20_000) }))).status).toBe(413);
  });

  it("get CORS headers for listed origins alone", async () => {
    const preflight = (origin: string) => handle(new Request("https://x/", { method: "OPTIONS", headers: { origin } }));
    const listed = await preflight("https://admin.example.com");
    expect(listed.status).toBe(204);
    expect(listed.headers.get("access-control-allow-origin")).toBe("https://admin.example.com");
    expect((await preflight("https://evil.example.com")).headers.get("access-control-allow-origin")).toBeNull();
  });
});

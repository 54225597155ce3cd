import { createHash, createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { keyId } from "../../../contract/jwt.ts";
import { verifyToken } from "../../../images/reference-server/src/jwt.ts";
import { tokenOf } from "../../../images/reference-server/src/websocket.ts";

const CURRENT = "current-key-of-thirty-two-bytes!!";
const PREVIOUS = "previous-key-of-thirty-two-bytes!";
const NOW = 1_800_000_000;

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

function sign(claims: unknown, key = CURRENT, header: object = { alg: "HS256", typ: "JWT" }, hash = "sha256"): string {
  const body = `${encode(header)}.${encode(claims)}`;
  return `${body}.${createHmac(hash, key).update(body).digest("base64url")}`;
}
const NEXT = "next-key-of-at-least-thirty-two-bytes";
const KEYS = [
  { role: "signing", secret: CURRENT },
  { role: "previous", secret: PREVIOUS },
  { role: "next", secret: NEXT },
] as const;
const verify = (token: string) => verifyToken(token, KEYS, NOW);

describe("verifyToken", () => {
  test("takes the example of RFC 7515, appendix A.1, until it expires", () => {
    const key = Buffer.from(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
      "base64url",
    );
    const token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const check = (now: number) => verifyToken(token, [{ role: "signing", secret: key }], now);
    expect(check(1_300_819_379)).toEqual({ valid: true, key: "signing" });
    expect(check(1_300_819_386)).toMatchObject({ valid: false, reason: "the token has expired" });
  });

  test("returns the key that signed a token", () => {
    expect(verify(sign({ sub: "ada" }))).toEqual({ valid: true, key: "signing", subject: "ada" });
    expect(verify(sign({}, PREVIOUS))).toEqual({ valid: true, key: "previous" });
    expect(verify(sign({}, NEXT))).toEqual({ valid: true, key: "next" });
    expect(verify(sign({}, "some-other-key-of-thirty-two-bytes"))).toMatchObject({ valid: false });
  });

  test("takes the header kid as a hint and never as proof", () => {
    const header = (kid: unknown) => ({ alg: "HS256", typ: "JWT", kid });
    expect(verify(sign({}, NEXT, header(keyId(NEXT))))).toEqual({ valid: true, key: "next" });
    expect(verify(sign({}, NEXT, header(keyId(CURRENT))))).toEqual({ valid: true, key: "next" });
    expect(verify(sign({}, PREVIOUS, header("the issuer's own name")))).toEqual({ valid: true, key: "previous" });
    expect(verify(sign({}, CURRENT, header(7)))).toEqual({ valid: true, key: "signing" });
    expect(verify(sign({}, "some-other-key-of-thirty-two-bytes", header(keyId(CURRENT))))).toMatchObject({
      valid: false,
    });
  });

  test("names keys by the thumbprint of RFC 7638", () => {
    // The JWK of RFC 7515, appendix A.1.1; the digest is of its canonical form {"k":…,"kty":"oct"}.
    const k = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const canonical = `{"k":"${k}","kty":"oct"}`;
    expect(keyId(Buffer.from(k, "base64url"))).toBe(createHash("sha256").update(canonical).digest("base64url"));
  });

  test("honours exp and nbf", () => {
    expect(verify(sign({ exp: NOW + 1 })).valid).toBe(true);
    expect(verify(sign({ exp: NOW - 60 }))).toEqual({ valid: false, key: "signing", reason: "the token has expired" });
    expect(verify(sign({ nbf: NOW + 60 }))).toEqual({
      valid: false,
      key: "signing",
      reason: "the token is not valid yet",
    });
    expect(verify(sign({ exp: "tomorrow" })).valid).toBe(false);
  });

  test.each([
    ["an unsigned token", `${encode({ alg: "none" })}.${encode({})}.`],
    ["alg none with a right signature", sign({}, CURRENT, { alg: "none" })],
    ["another hash", sign({}, CURRENT, { alg: "HS512" }, "sha512")],
    ["critical extensions", sign({}, CURRENT, { alg: "HS256", crit: ["exp"] })],
    ["claims that are not an object", sign([1])],
    ["a changed claim", sign({ sub: "ada" }).replace(/\.[^.]+\./, `.${encode({ sub: "eve" })}.`)],
    ["four parts", `${sign({})}.x`],
    ["nothing", ""],
  ])("refuses %s", (_name, token) => {
    expect(verify(token).valid).toBe(false);
  });
});

describe("tokenOf", () => {
  test("prefers the header, else reads the query", () => {
    expect(tokenOf({ headers: { authorization: "bearer a.b.c" }, url: "/?token=x" })).toBe("a.b.c");
    expect(tokenOf({ headers: { authorization: "Basic eA==" }, url: "/ws?a=1&token=x.y.z" })).toBe("x.y.z");
    expect(tokenOf({ headers: {}, url: "/ws" })).toBeUndefined();
  });
});

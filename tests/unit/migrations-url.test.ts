import { describe, expect, it } from "vitest";
import { databaseUrl, verifiedUrl } from "../../operations/migrations/url.ts";

const HOSTED = "postgresql://postgres.ref:p%40ss@aws-0.pooler.supabase.com:5432/postgres";

describe("a connection to a database elsewhere", () => {
  it("verifies the server, with the given certificate authorities", () => {
    expect(verifiedUrl(HOSTED)).toBe(`${HOSTED}?sslmode=verify-full`);
    expect(verifiedUrl(HOSTED, "/ca.pem")).toBe(`${HOSTED}?sslmode=verify-full&sslrootcert=%2Fca.pem`);
    expect(verifiedUrl(`${HOSTED}?sslmode=verify-ca`)).toBe(`${HOSTED}?sslmode=verify-ca`);
  });

  it.each(["disable", "allow", "prefer", "require", "no-verify"])("is refused with sslmode=%s", (mode) => {
    const attempt = () => verifiedUrl(`${HOSTED}?sslmode=${mode}`);
    expect(attempt).toThrow("does not verify the server");
    expect(attempt).not.toThrow("p%40ss");
  });

  it.each(["127.0.0.1:5432", "localhost", "[::1]:5432", "127.8.8.8"])("is left alone on this machine: %s", (host) => {
    const url = `postgres://a:b@${host}/db?sslmode=disable`;
    expect(verifiedUrl(url)).toBe(url);
  });

  it("is verified for addresses that only resemble the loopback's", () => {
    expect(() => verifiedUrl("postgres://a:b@127.0.0.1.example.com/db?sslmode=disable")).toThrow("does not verify");
  });
});

describe("a URL taken apart", () => {
  it("does not display the password, and passes the encryption as libpq's variables", () => {
    const taken = databaseUrl(verifiedUrl(HOSTED, "/ca.pem"));
    expect(taken).toMatchObject({
      password: "p@ss",
      display: "aws-0.pooler.supabase.com:5432/postgres",
      tls: { PGSSLMODE: "verify-full", PGSSLROOTCERT: "/ca.pem" },
    });
    expect(taken.url).not.toContain("ss@");
    expect(databaseUrl("postgres://a:b@h/db").tls).toEqual({});
  });
});

import { createHmac, timingSafeEqual } from "node:crypto";

/** Role of a token that is signed with HS256 and has not expired; undefined for every other token. */
export function roleOf(token: string, secret: string, nowSeconds: number): string | undefined {
  const [header = "", payload = "", signature = "", ...more] = token.split(".");
  const given = Buffer.from(signature, "base64url");
  const expected = createHmac("sha256", secret).update(`${header}.${payload}`).digest();
  if (more.length > 0 || given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  const { alg } = decoded(header);
  const { role, exp } = decoded(payload);
  if (alg !== "HS256" || typeof role !== "string") return undefined;
  if (exp !== undefined && (typeof exp !== "number" || exp <= nowSeconds)) return undefined;
  return role;
}

function decoded(part: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

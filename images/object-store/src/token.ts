import { readJwt } from "../../../contract/jwt.ts";

/** Role of a token that is signed with HS256 and has not expired; undefined for every other token. */
export function roleOf(token: string, secret: string, nowSeconds: number): string | undefined {
  const jwt = readJwt(token);
  if (jwt?.header?.alg !== "HS256" || !jwt.signedBy(secret)) return undefined;
  const { role, exp } = jwt.claims ?? {};
  if (exp !== undefined && (typeof exp !== "number" || exp <= nowSeconds)) return undefined;
  return typeof role === "string" ? role : undefined;
}

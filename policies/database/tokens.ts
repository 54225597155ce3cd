import type { Policy } from "./facts.ts";
import { identifier, literal } from "./postgres.ts";

/** Claims of every token of Supabase besides those that say who the user is. */
const ISSUED = {
  aud: "authenticated",
  iss: "https://project.example/auth/v1",
  iat: 1_700_000_000,
  exp: 4_000_000_000,
  email: "one@example.test",
  phone: "",
  session_id: "00000000-0000-4000-8000-000000000001",
  amr: [{ method: "password", timestamp: 1_700_000_000 }],
};

/**
 * Tokens of a user: an ordinary one with all claims, an anonymous one with a second factor, and two with few claims. A
 * user sets `user_metadata` freely; the words are those that the policies compare claims with.
 */
export function tokensOf(role: string, user: string, words: Readonly<Record<string, string>>): readonly object[] {
  if (role === "anon") return [{ role }];
  const accounts = { app_metadata: { provider: "email", providers: ["email"] }, user_metadata: words };
  return [
    { ...ISSUED, sub: user, role, aal: "aal1", is_anonymous: false, ...accounts },
    { ...ISSUED, sub: user, role, aal: "aal2", is_anonymous: true, ...accounts },
    { sub: user, role },
    { role },
  ];
}

/** Keys of JSON objects and the strings that conditions compare them with. */
export function comparedWords(policies: readonly Policy[]): Readonly<Record<string, string>> {
  const text = policies
    .map((policy) => `${policy.using ?? ""} ${policy.check ?? ""} ${policy.bodies.join(" ")}`)
    .join(" ");
  return Object.fromEntries(
    [...text.matchAll(/->> '([^']+)'(?:::text)?\)* = '([^']*)'/g)].map((match) => [match[1] ?? "", match[2] ?? ""]),
  );
}

/** Sets the claims of a token, and headers that the client chooses, as PostgREST does for a request. */
export function claim(token: object, words: Readonly<Record<string, string>>): string {
  return `select set_config('request.jwt.claims', ${literal(JSON.stringify(token))}, true), set_config('request.headers', ${literal(JSON.stringify(words))}, true)`;
}

/** Assumes a role with an ordinary token. */
export function become(role: string, user: string, words: Readonly<Record<string, string>> = {}): string {
  const [token = {}] = tokensOf(role, user, words);
  return `${claim(token, words)}; set local role ${identifier(role)}`;
}

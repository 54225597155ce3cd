import { createHash, createHmac, pbkdf2Sync } from "node:crypto";

/** PostgreSQL's own number of iterations. */
const ITERATIONS = 4096;

/**
 * A password as PostgreSQL stores it (RFC 5803), so that it never reaches the statements that a server logs. The salt follows from role
 * and password: the same password gives the same text, and a deployment changes nothing. Pure.
 */
export function scramVerifier(role: string, password: string): string {
  const salt = createHash("sha256").update(`${role}\0${password}`).digest().subarray(0, 16);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, "sha256");
  const key = (name: string) => createHmac("sha256", salted).update(name).digest();
  const stored = createHash("sha256").update(key("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${String(ITERATIONS)}:${salt.toString("base64")}$${stored}:${key("Server Key").toString("base64")}`;
}

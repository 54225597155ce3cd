import { UserError } from "../../contract/errors.ts";
import { keyId, signJwt } from "../../contract/jwt.ts";
import { signingKey } from "../../operations/secrets/rotation.ts";
import { readRotation } from "./jwt-keys.ts";
import type { DockerStack } from "./project.ts";

/** Lifetime of a token for a smoke test, in seconds. */
const LIFETIME_SECONDS = 300;

/**
 * A token that the local servers accept on their WebSocket port: a JWT (RFC 7519), signed by HS256 with the signing key.
 *
 * @throws UserError if the key is encrypted in the stack file, which only the engine can read
 */
export function signToken({ settings, home, state, source }: DockerStack): string {
  const given = source.get(signingKey(readRotation(home)) === "next" ? "jwtSecretNext" : "jwtSecret");
  if (typeof given === "symbol")
    throw new UserError(
      "invalid-setting",
      "exai:jwtSecret",
      "is encrypted in the stack file, and the smoke test needs it to sign a token",
      `remove exai:jwtSecret from Pulumi.${settings.stack}.yaml; local then generates one`,
    );
  const key = given === undefined || given === "" ? state.password("generated-jwt", 48) : given;
  return smokeToken(key);
}

/** A token that is valid for {@link LIFETIME_SECONDS}, signed with a key of the server. */
export function smokeToken(key: string): string {
  const now = Math.floor(Date.now() / 1000);
  return signJwt({ sub: "exai-smoke-test", iat: now, exp: now + LIFETIME_SECONDS }, key, { kid: keyId(key) });
}

import { otherSlot, type Slot } from "../../contract/slots.ts";
import { slotHost } from "../../contract/envoy/names.ts";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { JWT_KEY_SETS, keyId, keysOf } from "../../contract/jwt.ts";
import type { Cluster } from "../../operations/rollout/kubernetes/cluster.ts";
import type { Secret } from "../../operations/rollout/kubernetes/api-types.ts";

/** Entry of a slot's Secret with the key that signs its tokens. The entries of the other accepted keys start with it. */
export const JWT_KEY = "jwt-token";

/** A slot's Secret; undefined if it does not exist. */
export async function slotSecret(cluster: Cluster, slot: Slot): Promise<Secret | undefined> {
  return cluster.read<Secret>({ apiVersion: "v1", kind: "Secret", name: `${slotHost(slot)}-secrets` });
}

/**
 * Refuses to deploy a slot whose server would not accept the tokens that the other slot signs, for example from a checkout that
 * is older than a rotation: users would get 401 with valid tokens. A key that the program generates is not known here, and is
 * not checked.
 *
 * @param config the stack's settings with their secrets, keys without `exai:`
 * @param other the Secret of the other slot
 * @throws UserError
 */
export function checkKeys(
  stack: string,
  slot: Slot,
  config: Readonly<Record<string, string>>,
  other: Secret | undefined,
): void {
  const signing = other?.data?.[JWT_KEY];
  if (signing === undefined) return;
  const set = JWT_KEY_SETS.find((each) => each === config[`${slot}JwtKeys`]) ?? "current";
  const given = keysOf(set).map((name) => (name === "current" ? config.jwtSecret : config.jwtSecretNext));
  if (given.includes(undefined)) return;
  const accepted = [...given, config.jwtSecretPrevious].flatMap((key) => (key === undefined ? [] : [keyId(key)]));
  const kid = keyId(Buffer.from(signing, "base64"));
  if (accepted.includes(kid)) return;
  throw new UserError(
    "state-conflict",
    `slot ${slot}`,
    `would refuse the tokens that ${otherSlot(slot)} signs (key ${kid.slice(0, 8)}): these settings are older than the last rotation`,
    fix`update Pulumi.${stack}.yaml (git pull), or, if the key was changed here: ${command(`up ${stack}`)}; then run the same command again`,
  );
}

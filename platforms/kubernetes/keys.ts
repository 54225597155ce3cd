import { otherSlot, type Slot } from "../../contract/slots.ts";
import { slotHost } from "../../contract/envoy/names.ts";
import { UserError } from "../../contract/errors.ts";
import { JWT_KEY_SETS, keyId, keysOf } from "../../contract/jwt.ts";
import type { Cluster } from "../../operations/rollout/kubernetes/cluster.ts";
import type { Secret } from "../../operations/rollout/kubernetes/api-types.ts";

/** Entry of a slot's Secret with the key that signs its tokens; the others that it accepts begin with the same word. */
export const JWT_KEY = "jwt-token";

/** A slot's Secret; undefined where the slot has none. */
export async function slotSecret(cluster: Cluster, slot: Slot): Promise<Secret | undefined> {
  return cluster.read<Secret>({ apiVersion: "v1", kind: "Secret", name: `${slotHost(slot)}-secrets` });
}

/**
 * Refuses to deploy a slot whose server would not accept the tokens that the slot beside it signs, as a checkout would that
 * is older than a rotation of the key: its users would get 401 with tokens that are good. A key that the program has generated
 * itself is not known here, and judged by nobody.
 *
 * @param config the stack's settings with their secrets, keys without `exai:`
 * @param beside the Secret of the other slot
 * @throws UserError
 */
export function checkKeys(
  stack: string,
  slot: Slot,
  config: Readonly<Record<string, string>>,
  beside: Secret | undefined,
): void {
  const signing = beside?.data?.[JWT_KEY];
  if (signing === undefined) return;
  const set = JWT_KEY_SETS.find((each) => each === config[`${slot}JwtKeys`]) ?? "current";
  const given = keysOf(set).map((name) => (name === "current" ? config.jwtSecret : config.jwtSecretNext));
  if (given.includes(undefined)) return;
  const accepted = [...given, config.jwtSecretPrevious].flatMap((key) => (key === undefined ? [] : [keyId(key)]));
  const kid = keyId(Buffer.from(signing, "base64"));
  if (accepted.includes(kid)) return;
  throw new UserError(
    "failed",
    `slot ${slot}`,
    `would refuse the tokens that ${otherSlot(slot)} signs (key ${kid.slice(0, 8)}): these settings are not those of the last change of the key`,
    `bring Pulumi.${stack}.yaml of that rotation here (git pull), or, where the key was changed here: ./exai up ${stack}; then the same command again`,
  );
}

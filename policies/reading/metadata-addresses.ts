import { addressOf, contains } from "./addresses.ts";

/** Addresses at which a cloud serves credentials of the node or of the pod, IPv4 and IPv6. */
const METADATA = [
  "169.254.169.254", // AWS, Google, Azure, Oracle and others
  "169.254.170.2", // Amazon ECS
  "169.254.170.23", // Amazon EKS, pod identities
  "fd00:ec2::254",
  "fd00:ec2::23",
].map(known);

/** The translation of the IPv4 address in IPv6, which only a block of translated addresses is about. */
const TRANSLATED = known("64:ff9b::169.254.169.254");
const TRANSLATION = known("64:ff9b::/96");

/** Whether a block, without the blocks that are excepted from it, contains an address of cloud metadata; also if it is malformed. */
export function reachesMetadata(cidr: string, except: readonly string[]): boolean {
  const block = blockOf(cidr);
  if (block === undefined) return true;
  const excepted = except.map(blockOf);
  const addresses = contains(TRANSLATION, block) ? [...METADATA, TRANSLATED] : METADATA;
  return addresses.some(
    (address) => contains(block, address) && !excepted.some((one) => one !== undefined && contains(one, address)),
  );
}

/** Bits that a block of one network has at least, by IPv4 and IPv6. A shorter prefix is most of the internet. */
const SHORTEST = { 4: 8, 6: 16 };

/** Whether a block is so large that it names no network. */
export function isMostOfTheInternet(cidr: string): boolean {
  const block = blockOf(cidr);
  return block === undefined || block.subnetMask < SHORTEST[block.v4 ? 4 : 6];
}

function blockOf(cidr: string): ReturnType<typeof addressOf> {
  return cidr.includes("/") ? addressOf(cidr) : undefined;
}

function known(text: string): NonNullable<ReturnType<typeof addressOf>> {
  const address = addressOf(text);
  if (address === undefined) throw new Error(`${text} is not an address`);
  return address;
}

import { addressOf, contains } from "./addresses.ts";
import { sizeOf, type Range } from "./ranges.ts";

/** Addresses at which a cloud serves credentials of the node or of the pod, IPv4 and IPv6. */
const METADATA = [
  "169.254.169.254", // AWS, Google, Azure, Oracle and others
  "169.254.170.2", // Amazon ECS
  "169.254.170.23", // Amazon EKS, pod identities
  "fd00:ec2::254",
  "fd00:ec2::23",
  "fd20:ce::254", // Google
].map(known);

/** Such addresses among others that programs need: a block that is about them is a finding, and a network around them is not. */
const NARROW = [
  "100.100.100.200", // Alibaba
  "168.63.129.16", // Azure
  "192.0.0.192", // Oracle
  "fe80::a9fe:a9fe", // OpenStack
].map(known);
/** Bits of a block that is about an address, by IPv4 and IPv6. */
const ABOUT = { 4: 24, 6: 112 };

/** The translation of the IPv4 address in IPv6, which only a block of translated addresses is about. */
const TRANSLATED = known("64:ff9b::169.254.169.254");
const TRANSLATION = known("64:ff9b::/96");

/** Whether a block, without the blocks that are excepted from it, contains an address of cloud metadata; also if it is malformed. */
export function reachesMetadata(cidr: string, except: readonly string[]): boolean {
  const block = blockOf(cidr);
  if (block === undefined) return true;
  const excepted = except.map(blockOf);
  const addresses = [
    ...METADATA,
    ...(contains(TRANSLATION, block) ? [TRANSLATED] : []),
    ...(block.subnetMask >= ABOUT[block.v4 ? 4 : 6] ? NARROW : []),
  ];
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

/** Blocks of the shortest prefix that peers may have together. */
const MOST_BLOCKS = 16n;

/** Whether blocks that are small enough one by one are most of the internet together. */
export function areMostOfTheInternet(cidrs: readonly string[]): boolean {
  const blocks = cidrs.flatMap((cidr) => (isMostOfTheInternet(cidr) ? [] : (blockOf(cidr) ?? [])));
  return ([4, 6] as const).some((version) => {
    const ranges = blocks
      .filter(({ v4 }) => v4 === (version === 4))
      .map((block): Range => [block.startAddress().bigInt(), block.endAddress().bigInt() + 1n]);
    return sizeOf(ranges) > MOST_BLOCKS << BigInt((version === 4 ? 32 : 128) - SHORTEST[version]);
  });
}

function blockOf(cidr: string): ReturnType<typeof addressOf> {
  return cidr.includes("/") ? addressOf(cidr) : undefined;
}

function known(text: string): NonNullable<ReturnType<typeof addressOf>> {
  const address = addressOf(text);
  if (address === undefined) throw new Error(`${text} is not an address`);
  return address;
}

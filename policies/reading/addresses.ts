import { Address4, Address6 } from "ip-address";

/** An address or a block of addresses. */
type Address = Address4 | Address6;

/**
 * An IP address, or a CIDR block, as Go's parser reads it for Kubernetes: zeros may lead, and an IPv6 address that maps an IPv4 address
 * is one of IPv4. Undefined if it is neither.
 */
export function addressOf(text: string): Address | undefined {
  try {
    if (!text.includes(":")) return new Address4(text.replaceAll(/(^|\.)0+(?=\d)/g, "$1"));
    const address = new Address6(text);
    return address.isMapped4() && address.subnetMask >= 96 ? address.to4() : address;
  } catch {
    return undefined;
  }
}

/** Whether a block contains an address or a whole block. */
export function contains(block: Address, other: Address): boolean {
  if (block instanceof Address4) return other instanceof Address4 && other.isInSubnet(block);
  return other instanceof Address6 && other.isInSubnet(block);
}

/** Whether the text is an address of this machine alone. */
export function isLoopback(text: string): boolean {
  const address = text.includes("/") ? undefined : addressOf(text);
  if (address === undefined) return false;
  return contains(address instanceof Address4 ? new Address4("127.0.0.0/8") : new Address6("::1/128"), address);
}

/** Whether the text stands for every address of the machine, or is not an address. */
export function isUnspecified(text: string): boolean {
  const address = text.includes("/") ? undefined : addressOf(text);
  return address === undefined || address.bigInt() === 0n;
}

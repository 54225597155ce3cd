import { isIPv6, type LookupFunction } from "node:net";

/** How the load reaches the hosts of its URLs, where their names lead nowhere. */
export interface Reach {
  /** Address of all hosts. Their certificates are a test cluster's own then, and are not verified. */
  readonly address?: string;
}

/** What requests and WebSockets are sent with to reach the address. */
export function reachOptions({ address }: Reach): { lookup?: LookupFunction; rejectUnauthorized?: boolean } {
  if (address === undefined) return {};
  const family = isIPv6(address) ? 6 : 4;
  return {
    lookup: (_host, options, done) => {
      if (options.all === true) done(null, [{ address, family }]);
      else done(null, address, family);
    },
    rejectUnauthorized: false,
  };
}

import { isIP } from "node:net";

/** Headers of a request that identify a browser, as received. */
export interface BrowserRequest {
  /** Header `Origin`; absent when no browser sent the request. */
  readonly origin: string | undefined;
  /** Header `Host`. */
  readonly host: string | undefined;
}

function parse(origin: string): URL | undefined {
  return URL.canParse(origin) ? new URL(origin) : undefined;
}

/** Whether a name is safe from DNS rebinding: an address, or localhost. */
function isFixedName(hostname: string): boolean {
  return hostname === "localhost" || isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;
}

/**
 * Whether a request may reach a page's own endpoints (`/mcp`, the dashboard's WebSocket).
 *
 * Requests without `Origin` do not come from a browser. A browser must come from the production origin, or from the very host it
 * talks to; that host must be an address or localhost, since any other name can be re-bound to this server by DNS.
 */
export function isSameSite(request: BrowserRequest, productionOrigin: string | undefined): boolean {
  if (request.origin === undefined) return true;
  const origin = parse(request.origin);
  if (!origin) return false;
  if (origin.origin === productionOrigin) return true;
  return origin.host === request.host && isFixedName(origin.hostname);
}

/** Whether a browser's WebSocket comes from the production origin; no `Origin` means that the client is not a browser. */
export function isProductionBrowser(request: BrowserRequest, productionOrigin: string | undefined): boolean {
  if (request.origin === undefined) return true;
  return productionOrigin !== undefined && parse(request.origin)?.origin === productionOrigin;
}

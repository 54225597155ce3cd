import { ACCESS, ACCESS_PAGE, AUDIENCES, pinOf, type Audience } from "./access.ts";
import { SLOTS } from "../slots.ts";
import { HEADERS } from "../server.ts";
import type { Json } from "./json.ts";
import { clusterName, type ClusterKind } from "./names.ts";
import { exact, filterConfig, responseHeaders, routeAction, SESSION_SCRIPTS } from "./route-parts.ts";

/** The routes of requests with a verified token, and the page for browsers. They come before all others. */
export function accessRoutes(onWebSocketPort: readonly Json[]): Json[] {
  return [
    accessPage(),
    ...AUDIENCES.flatMap((audience) => [
      ...pinned(audience, onWebSocketPort, `${audience}-websocket`),
      ...pinned(audience, [], audience),
    ]),
    ...TOKENS.map(unverified),
  ];
}

/** Matches requests with a token, by each way that it may come. */
export const TOKENS: readonly Json[] = [
  { name: HEADERS.access, present_match: true },
  { name: "cookie", string_match: { contains: `${ACCESS.cookie}=` } },
];

/**
 * The route that a request with a token has until the token is verified. Envoy decides by it which filters run, so it must name
 * the script that the slot's route relies on; and it answers if the token is refused.
 */
function unverified(token: Json): Json {
  return {
    match: { prefix: "/", headers: [token] },
    direct_response: { status: 401 },
    ...filterConfig(SESSION_SCRIPTS.access),
  };
}

/** The routes of requests with a token of the audience, for any path. */
function pinned(audience: Audience, headers: readonly Json[], kind: ClusterKind): Json[] {
  return SLOTS.map((slot) => ({
    match: { prefix: "/", headers: [...headers, exact(HEADERS.pinned, pinOf(slot, audience))] },
    route: { cluster: clusterName(slot, kind), ...routeAction({ kind, seconds: 0 }) },
    response_headers_to_add: responseHeaders(slot, true),
    ...filterConfig(SESSION_SCRIPTS.access),
  }));
}

/** The page that stores a tester's token in the browser. */
function accessPage(): Json {
  const header = (key: string, value: string): Json => ({
    header: { key, value },
    append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
  });
  return {
    match: { path: ACCESS.page },
    direct_response: { status: 200, body: { inline_string: ACCESS_PAGE } },
    response_headers_to_add: [
      header("content-type", "text/html; charset=utf-8"),
      header("cache-control", "no-store"),
      header("referrer-policy", "no-referrer"),
    ],
  };
}

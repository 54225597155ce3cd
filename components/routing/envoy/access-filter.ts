import { ACCESS } from "../../../contract/envoy/access.ts";
import { TOKENS } from "../../../contract/envoy/access-routes.ts";
import { typed, type Json } from "../../../contract/envoy/json.ts";
import { HEADERS } from "../../../contract/server.ts";

/**
 * Verifies tokens for access to a slot. A valid one sets the header that the routes match; any other one is answered with 401, so
 * that a tester learns of it. Requests without a token pass untouched.
 */
export function accessFilter(keys: string): Json {
  const provider = "exai";
  const requires = { provider_name: provider };
  return {
    name: "envoy.filters.http.jwt_authn",
    typed_config: typed("envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", {
      providers: {
        [provider]: {
          issuer: ACCESS.issuer,
          local_jwks: { inline_string: keys },
          require_expiration: true,
          forward: false,
          from_headers: [{ name: HEADERS.access }],
          from_cookies: [ACCESS.cookie],
          claim_to_headers: [{ header_name: HEADERS.pinned, claim_name: ACCESS.claim }],
          clear_route_cache: true,
        },
      },
      rules: [
        // A browser with an expired token gets here to remove it.
        { match: { path: ACCESS.page } },
        ...TOKENS.map((token) => ({ match: { prefix: "/", headers: [token] }, requires })),
      ],
    }),
  };
}

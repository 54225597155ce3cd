import { typed, type Json } from "../../../contract/envoy/json.ts";
import { SESSION_FILTER, SESSION_SCRIPT } from "../../../contract/envoy/routes.ts";
import { HEADERS } from "../../../contract/server.ts";

/** Removes `blue.` or `green.` from the session identifier, so that the server sees the one that it issued. */
export function sessionFilter(): Json {
  const code = `
function envoy_on_request(handle)
  local headers = handle:headers()
  local session = headers:get("${HEADERS.mcpSessionId}")
  if session ~= nil then
    local own = string.match(session, "^blue%.(.+)$") or string.match(session, "^green%.(.+)$")
    if own ~= nil then headers:replace("${HEADERS.mcpSessionId}", own) end
  end
end
`;
  return {
    name: SESSION_FILTER,
    disabled: true, // only MCP's routes pay for it
    typed_config: typed("envoy.extensions.filters.http.lua.v3.Lua", {
      source_codes: { [SESSION_SCRIPT]: { inline_string: code } },
      // Otherwise the shortened identifier would be matched again, and half of the sessions would change their slot.
      clear_route_cache: false,
    }),
  };
}

import { ACCESS } from "../../../contract/envoy/access.ts";
import { typed, type Json } from "../../../contract/envoy/json.ts";
import { SESSION_FILTER, SESSION_SCRIPTS } from "../../../contract/envoy/route-parts.ts";
import { HEADERS } from "../../../contract/server.ts";

/** Removes the token's cookie, so that no slot has a token. */
export const REMOVE_COOKIE = `
  local cookies = headers:get("cookie")
  if cookies ~= nil then
    local kept = {}
    for cookie in string.gmatch(cookies, "[^;]+") do
      local name = string.match(cookie, "^%s*([^=]*)")
      if name ~= "${ACCESS.cookie}" then kept[#kept + 1] = string.match(cookie, "^%s*(.*)$") end
    end
    if #kept == 0 then headers:remove("cookie") else headers:replace("cookie", table.concat(kept, "; ")) end
  end`;

/** Removes `blue.` or `green.` from the session identifier, so that the server sees the one that it issued. */
const UNTAG = `
  local session = headers:get("${HEADERS.mcpSessionId}")
  if session ~= nil then
    local own = string.match(session, "^blue%.(.+)$") or string.match(session, "^green%.(.+)$")
    if own ~= nil then headers:replace("${HEADERS.mcpSessionId}", own) end
  end`;

/** The Lua filter with its scripts. Only routes of MCP and of tokens pay for it. */
export function sessionFilter(): Json {
  const script = (...parts: readonly string[]): Json => ({
    inline_string: `function envoy_on_request(handle)\n  local headers = handle:headers()${parts.join("")}\nend\n`,
  });
  return {
    name: SESSION_FILTER,
    disabled: true,
    typed_config: typed("envoy.extensions.filters.http.lua.v3.Lua", {
      source_codes: {
        [SESSION_SCRIPTS.untag]: script(UNTAG),
        [SESSION_SCRIPTS.access]: script(REMOVE_COOKIE, UNTAG),
      },
      // Otherwise the shortened identifier would be matched again, and half of the sessions would change their slot.
      clear_route_cache: false,
    }),
  };
}

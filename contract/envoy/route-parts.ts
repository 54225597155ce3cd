import type { Slot } from "../slots.ts";
import { HEADERS } from "../server.ts";
import { typed, type Json } from "./json.ts";
import type { ClusterKind } from "./names.ts";
import { QUEUEING } from "./queueing.ts";

/** Name of the Lua filter that removes the slot from a session identifier; off unless a route enables it. */
export const SESSION_FILTER = "exai.session";

/** Names of the filter's scripts: one for MCP sessions, and one for requests with a token, which also removes its cookie. */
export const SESSION_SCRIPTS = { untag: "untag", access: "access" } as const;

/** Set by the router's listeners for their own routes; a client's value is removed. */
export const LISTENER_HEADER = "x-exai-listener";

/** Requests that are treated alike. */
export interface RequestClass {
  readonly match: Record<string, Json>;
  readonly headers: readonly Json[];
  readonly kind: ClusterKind;
  /** Time-out of a request in seconds; 0: none. */
  readonly seconds: number;
  /** Whether MCP session identifiers are tagged and matched. */
  readonly mcp?: boolean;
}

const RETRY_POLICY: Json = {
  retry_on: QUEUEING.retryOn.join(),
  num_retries: QUEUEING.retries,
  retry_back_off: {
    base_interval: `${String(QUEUEING.backOff.baseMs / 1000)}s`,
    max_interval: `${String(QUEUEING.backOff.maxMs / 1000)}s`,
  },
};

/** Time-outs and retries of a route. */
export function routeAction({ kind, seconds }: Pick<RequestClass, "kind" | "seconds">): Record<string, Json> {
  return {
    timeout: `${String(seconds)}s`,
    // A retry only if the slot has not received the request: an error of the slot must reach the gates.
    retry_policy: RETRY_POLICY,
    ...(kind === "plain" ? {} : { idle_timeout: "0s" }),
  };
}

/** Headers of the slot's answers. */
export function responseHeaders(slot: Slot, mcp: boolean): Json[] {
  return [
    { header: { key: HEADERS.servedBy, value: slot }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" },
    ...(mcp
      ? [
          {
            header: { key: HEADERS.mcpSessionId, value: `${slot}.%RESP(${HEADERS.mcpSessionId})%` },
            append_action: "OVERWRITE_IF_EXISTS",
          },
        ]
      : []),
  ];
}

/** Enables a script of the filter. */
export function filterConfig(script: string): Record<string, Json> {
  const config = typed("envoy.extensions.filters.http.lua.v3.LuaPerRoute", { name: script });
  return {
    typed_per_filter_config: { [SESSION_FILTER]: typed("envoy.config.route.v3.FilterConfig", { config }) },
  };
}

/** Matches a header's whole value. */
export function exact(name: string, value: string): Json {
  return { name, string_match: { exact: value } };
}

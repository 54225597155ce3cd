import { QUEUEING, UPSTREAM_IDLE_SECONDS } from "../../contract/envoy/queueing.ts";
import type * as pulumi from "@pulumi/pulumi";
import { ACCESS } from "../../contract/envoy/access.ts";
import { ENVOY_GATEWAY, ROUTE_STAT_NAME, ROUTING_NAMES } from "../../contract/gateway.ts";
import { HEADERS, RETRY_AFTER_SECONDS } from "../../contract/server.ts";
import { REMOVE_COOKIE } from "./envoy/session-filter.ts";
import { GATEWAY_TARGET, type GatewayObject, type RoutingSpec } from "./gateway.ts";

/** CEL that names the slot of the upstream cluster, `service/<namespace>/server-<slot>/<port>/<name>`. */
const SLOT_BY_CLUSTER = "(xds.cluster_name.contains('/server-blue/') ? 'blue' : 'green')";

/**
 * Format of a session's identifier for the client: `<slot>.<address of the replica>~<the server's own>`. The slot is
 * what routes go by; the address routes the session to the replica that holds it. A client that forges one reaches
 * only a replica of that slot.
 */
function taggedSession(): string {
  const session = HEADERS.mcpSessionId;
  // Where the server set no session all parts are empty, and Envoy adds no empty header. It has no CEL concatenation.
  const part = (expression: string): string => `%CEL('${session}' in response.headers ? ${expression} : '')%`;
  return `${part(SLOT_BY_CLUSTER)}${part("'.'")}${part("upstream.address")}${part("'~'")}%RESP(${session})%`;
}

/** CEL: for a 503 a random number of seconds, by the millisecond at which its request came. */
function retryAfter(): string {
  const seconds = Array.from({ length: RETRY_AFTER_SECONDS }, (_, index) => String(index + 1));
  const upTo = (second: string): string => String(Math.round((1000 * Number(second)) / RETRY_AFTER_SECONDS));
  const chosen = seconds.reduceRight(
    (others, second) => `(request.time.getMilliseconds() < ${upTo(second)} ? '${second}' : ${others})`,
    "''",
  );
  return `%CEL(response.headers[':status'] == '503' ? ${chosen} : '')%`;
}

/** Policy for client traffic: every response names the slot that answered, and sessions are tagged with it. */
export function clientPolicy(spec: RoutingSpec): GatewayObject {
  return {
    apiVersion: ENVOY_GATEWAY,
    kind: "ClientTrafficPolicy",
    spec: {
      targetRefs: [GATEWAY_TARGET],
      timeout: { http: { streamIdleTimeout: "1h" } },
      path: { escapedSlashesAction: "RejectRequest", disableMergeSlashes: false },
      headers: {
        earlyRequestHeaders: { remove: [HEADERS.pinned, HEADERS.sessionSlot] },
        lateResponseHeaders: {
          addIfAbsent: [{ name: "retry-after", value: retryAfter() }],
          set: [
            { name: HEADERS.servedBy, value: `%CEL(${SLOT_BY_CLUSTER})%` },
            ...(spec.sessionTags ? [{ name: HEADERS.mcpSessionId, value: taggedSession() }] : []),
            ...(spec.tlsSecret === undefined
              ? []
              : [{ name: "strict-transport-security", value: "max-age=31536000; includeSubDomains" }]),
          ],
        },
      },
    },
  };
}

/** Policy for traffic to the slots: it queues for a busy server (`contract/envoy/queueing.ts`). */
export function backendPolicy(): GatewayObject {
  const { ceiling, connectSeconds, retries, retryOn, backOff } = QUEUEING;
  return {
    apiVersion: ENVOY_GATEWAY,
    kind: "BackendTrafficPolicy",
    spec: {
      targetRefs: [GATEWAY_TARGET],
      circuitBreaker: {
        maxConnections: ceiling,
        maxPendingRequests: ceiling,
        maxParallelRequests: ceiling,
        maxParallelRetries: ceiling,
      },
      timeout: {
        tcp: { connectTimeout: `${String(connectSeconds)}s` },
        http: { connectionIdleTimeout: `${String(UPSTREAM_IDLE_SECONDS)}s` },
      },
      retry: {
        numRetries: retries,
        retryOn: { triggers: [...retryOn] },
        perRetry: {
          backOff: { baseInterval: `${String(backOff.baseMs)}ms`, maxInterval: `${String(backOff.maxMs)}ms` },
        },
      },
      telemetry: { metrics: { routeStatName: ROUTE_STAT_NAME } },
    },
  };
}

/**
 * Verifies tokens for access to a slot, on the routes to the slots. A valid one sets the header that the pinned rules match; any
 * other one is answered with 401. A cookie is taken only where the policy for sessions removes it before the slot.
 */
export function accessPolicy(spec: Pick<RoutingSpec, "sessionTags">, keys: pulumi.Input<string>): GatewayObject {
  const routes = [...Object.values(ROUTING_NAMES.pinned), ...Object.values(ROUTING_NAMES.shared)];
  return {
    apiVersion: ENVOY_GATEWAY,
    kind: "SecurityPolicy",
    spec: {
      targetRefs: routes.map((name) => ({ group: GATEWAY_TARGET.group, kind: "HTTPRoute", name })),
      jwt: {
        optional: true,
        providers: [
          {
            name: "exai",
            issuer: ACCESS.issuer,
            localJWKS: { type: "Inline", inline: keys },
            extractFrom: {
              headers: [{ name: HEADERS.access }],
              ...(spec.sessionTags ? { cookies: [ACCESS.cookie] } : {}),
            },
            claimToHeaders: [{ claim: ACCESS.claim, header: HEADERS.pinned }],
            recomputeRoute: true,
          },
        ],
      },
    },
  };
}

/** Routes a session to its replica, and strips the tag, and a tester's cookie, before the server sees them. */
export function sessionPolicy(): GatewayObject {
  return {
    apiVersion: ENVOY_GATEWAY,
    kind: "EnvoyExtensionPolicy",
    spec: { targetRefs: [GATEWAY_TARGET], lua: [{ type: "Inline", inline: UNTAG_SESSION }] },
  };
}

/**
 * Envoy matches the changed headers once more. The stripped session would then be a new one, and the weights would
 * decide; a header keeps it on its slot, and a verified token does so already. A missing replica is not an error: another one
 * answers that it does not know the session, and the client initialises again, as the protocol requires.
 */
const UNTAG_SESSION = `function envoy_on_request(handle)
  local headers = handle:headers()
  local pinned = headers:get("${HEADERS.pinned}") ~= nil
  if pinned then${REMOVE_COOKIE.replaceAll("\n", "\n  ")}
  end
  local session = headers:get("${HEADERS.mcpSessionId}")
  if session == nil then return end
  for _, slot in ipairs({"blue", "green"}) do
    local tag = slot .. "."
    if string.sub(session, 1, string.len(tag)) == tag then
      local rest = string.sub(session, string.len(tag) + 1)
      local _, stop, replica = string.find(rest, "^([%x%.:%[%]]+:%d+)~")
      if replica ~= nil then
        handle:setUpstreamOverrideHost(replica, false)
        rest = string.sub(rest, stop + 1)
      end
      if not pinned then headers:replace("${HEADERS.sessionSlot}", slot) end
      headers:replace("${HEADERS.mcpSessionId}", rest)
      return
    end
  end
end
`;

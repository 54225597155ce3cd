import type * as pulumi from "@pulumi/pulumi";
import { SLOTS, type Slot, type Weights } from "../../contract/slots.ts";
import type { ClusterKind } from "../../contract/envoy/names.ts";
import { FIRST_TABLE } from "../../contract/envoy/routes.ts";
import {
  backendRef,
  ENVOY_GATEWAY,
  GATEWAY_API,
  goneSessionFilter,
  kindMatches,
  LISTENER_KINDS,
  pinnedName,
  ROUTE_TIMEOUTS,
  ROUTING_NAMES,
  sharedRules,
  type Listener,
} from "../../contract/gateway.ts";
import { ACCESS, ACCESS_PAGE, AUDIENCES, pinOf, type Audience } from "../../contract/envoy/access.ts";
import { HEADERS, SERVER_PATHS } from "../../contract/server.ts";

/** An object of the Gateway API or of Envoy Gateway, without its metadata. */
export interface GatewayObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Input of the routes. */
export interface RoutingSpec {
  /** Names of the slots' Services, in the routes' namespace. */
  readonly services: Readonly<Record<Slot, pulumi.Input<string>>>;
  /** Host name that the gateway answers. */
  readonly hostname: string;
  /** Port of the server's WebSockets, on the Services and on the gateway. */
  readonly wsPort: number;
  /** Secret with the gateway's certificate; without one the gateway speaks plain HTTP. */
  readonly tlsSecret: string | undefined;
  readonly gatewayClass: string;
  /** Replicas of the proxy. */
  readonly replicas: number;
  /** How the proxy's Service is reached. */
  readonly serviceType: "LoadBalancer" | "ClusterIP" | "NodePort";
  /** Image of the proxy; by default the one that the controller was built with. */
  readonly proxyImage: string | undefined;
  /** Tag MCP sessions with their slot. Needs a controller with `extensionApis.enableLua: true`. */
  readonly sessionTags: boolean;
}

export const GATEWAY_TARGET = { group: "gateway.networking.k8s.io", kind: "Gateway", name: ROUTING_NAMES.gateway };

/** Name of the listener that carries HTTP and MCP. */
function httpSection(spec: Pick<RoutingSpec, "tlsSecret">): "http" | "https" {
  return spec.tlsSecret === undefined ? "http" : "https";
}

/**
 * Envoy Gateway takes a proxy out of its Service when one probe has no answer within a second. In a storm of reconnects the
 * probes of all proxies are late, so the users would be refused by all of them at once. A proxy that ends leaves the Service
 * without its probe.
 */
const PATIENT_READINESS = {
  spec: {
    template: { spec: { containers: [{ name: "envoy", readinessProbe: { timeoutSeconds: 5, failureThreshold: 3 } }] } },
  },
};

/** The proxy: its scale, its Service, and one cluster per Service and port, so that metrics are per slot and kind. */
export function envoyProxy(spec: RoutingSpec): GatewayObject {
  return {
    apiVersion: ENVOY_GATEWAY,
    kind: "EnvoyProxy",
    spec: {
      // Routes with the same Service and port share its cluster, unless a backendRef has a filter.
      mergeBackends: {},
      // Time for long-lived connections, such as WebSockets, to end when a proxy is replaced.
      shutdown: { drainTimeout: "60s", minDrainDuration: "10s" },
      provider: {
        type: "Kubernetes",
        kubernetes: {
          envoyDeployment: {
            replicas: spec.replicas,
            patch: { value: PATIENT_READINESS },
            container: {
              resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "1Gi" } },
              ...(spec.proxyImage === undefined ? {} : { image: spec.proxyImage }),
            },
            pod: {
              topologySpreadConstraints: ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map(
                (topologyKey) => ({
                  topologyKey,
                  maxSkew: 1,
                  whenUnsatisfiable: "ScheduleAnyway",
                  labelSelector: {
                    matchLabels: { "gateway.envoyproxy.io/owning-gateway-name": ROUTING_NAMES.gateway },
                  },
                }),
              ),
            },
          },
          ...(spec.replicas > 1 ? { envoyPDB: { minAvailable: spec.replicas - 1 } } : {}),
          envoyService: { type: spec.serviceType },
        },
      },
    },
  };
}

/** The gateway: HTTPS with a redirecting HTTP listener, or plain HTTP; and the WebSocket port. */
export function gateway(spec: RoutingSpec): GatewayObject {
  const tls =
    spec.tlsSecret === undefined
      ? {}
      : { tls: { mode: "Terminate", certificateRefs: [{ kind: "Secret", name: spec.tlsSecret }] } };
  const protocol = spec.tlsSecret === undefined ? "HTTP" : "HTTPS";
  const allowedRoutes = { namespaces: { from: "Same" } };
  const listener = (name: string, port: number, secure: boolean): Record<string, unknown> => ({
    name,
    hostname: spec.hostname,
    port,
    protocol: secure ? protocol : "HTTP",
    allowedRoutes,
    ...(secure ? tls : {}),
  });
  return {
    apiVersion: GATEWAY_API,
    kind: "Gateway",
    spec: {
      gatewayClassName: spec.gatewayClass,
      infrastructure: {
        parametersRef: { group: "gateway.envoyproxy.io", kind: "EnvoyProxy", name: ROUTING_NAMES.proxy },
      },
      listeners: [
        listener("http", 80, false),
        ...(spec.tlsSecret === undefined ? [] : [listener("https", 443, true)]),
        listener("websocket", spec.wsPort, true),
      ],
    },
  };
}

/**
 * The route of new requests: both slots with their weights. One object for each listener, with nothing else in it: its
 * rules belong to the rollout controller after their creation.
 */
export function sharedRoute(spec: RoutingSpec, listener: Listener, weights: Weights): GatewayObject {
  const { wsPort, services } = spec;
  const evicted = SLOTS.filter((slot) => weights[slot] === 0);
  const table = { ...FIRST_TABLE, weights, evicted };
  return route(spec, listener, sharedRules({ listener, wsPort, services, table }));
}

/** Headers that the gateway and the rollout use among themselves: no slot gets them, and an outsider cannot set them. */
const INTERNAL_HEADERS = [HEADERS.access, HEADERS.pinned, HEADERS.sessionSlot];

/**
 * Permanent rules next to the weighted ones. Most select one slot regardless of the weights: a session's tag, and the slot of a
 * verified token. The `kept` ones match no request, since no token has their value and the gateway removes the header of an
 * outsider. Envoy Gateway makes no cluster for a backend with weight 0. Without these rules the clusters of a slot would come and
 * go with its weight, and a proxy whose routes name a cluster that it does not have yet answers 500.
 */
export function pinnedRoute(spec: RoutingSpec, listener: Listener): GatewayObject {
  const rule = (
    by: "session" | Audience,
    slot: Slot,
    kind: ClusterKind,
    places: readonly Readonly<Record<string, unknown>>[],
  ): Record<string, unknown> => {
    const header =
      by === "session"
        ? { type: "RegularExpression", name: HEADERS.mcpSessionId, value: `${slot}[.].+` }
        : { type: "Exact", name: HEADERS.pinned, value: pinOf(slot, by) };
    const matches = [
      { ...header },
      ...(by === "session" ? [{ type: "Exact", name: HEADERS.sessionSlot, value: slot }] : []),
    ];
    return {
      name: pinnedName(kind, by, slot),
      // The policy for sessions replaces the tag by a header, and Envoy then selects the route again.
      matches: matches.flatMap((each) => places.map((place) => ({ ...place, headers: [each] }))),
      filters: [{ type: "RequestHeaderModifier", requestHeaderModifier: { remove: INTERNAL_HEADERS } }],
      backendRefs: [backendRef(spec, kind, slot, 1)],
      timeouts: ROUTE_TIMEOUTS,
    };
  };
  const kept = (kind: ClusterKind, slot: Slot): Record<string, unknown> => ({
    name: `${kind}-kept-${slot}`,
    matches: kindMatches(kind).map((place) => ({
      ...place,
      headers: [{ type: "Exact", name: HEADERS.pinned, value: `${slot}-kept` }],
    })),
    backendRefs: [backendRef(spec, kind, slot, 1)],
    timeouts: ROUTE_TIMEOUTS,
  });
  const places = LISTENER_KINDS[listener].flatMap(kindMatches);
  const mcp = { path: { type: "PathPrefix", value: SERVER_PATHS.mcp } };
  return route(spec, listener, [
    ...AUDIENCES.flatMap((audience) =>
      SLOTS.map((slot) => rule(audience, slot, listener === "http" ? audience : `${audience}-websocket`, places)),
    ),
    ...LISTENER_KINDS[listener].flatMap((kind) => SLOTS.map((slot) => kept(kind, slot))),
    ...(spec.sessionTags && listener === "http"
      ? SLOTS.flatMap((slot) => [
          rule("session", slot, "stream", [{ ...mcp, method: "GET" }]),
          rule("session", slot, "session", [mcp]),
        ])
      : []),
  ]);
}

/** Redirects plain HTTP to HTTPS permanently. */
export function redirectRoute(spec: RoutingSpec): GatewayObject {
  return {
    apiVersion: GATEWAY_API,
    kind: "HTTPRoute",
    spec: {
      parentRefs: [{ kind: "Gateway", name: ROUTING_NAMES.gateway, sectionName: "http" }],
      hostnames: [spec.hostname],
      rules: [{ filters: [{ type: "RequestRedirect", requestRedirect: { scheme: "https", statusCode: 301 } }] }],
    },
  };
}

function route(spec: RoutingSpec, listener: Listener, rules: readonly unknown[]): GatewayObject {
  return {
    apiVersion: GATEWAY_API,
    kind: "HTTPRoute",
    spec: {
      parentRefs: [
        {
          kind: "Gateway",
          name: ROUTING_NAMES.gateway,
          sectionName: listener === "http" ? httpSection(spec) : "websocket",
        },
      ],
      hostnames: [spec.hostname],
      rules,
    },
  };
}

/** The response to sessions of an evicted slot; only the rollout refers to it. */
export function goneSession(): GatewayObject {
  return { apiVersion: ENVOY_GATEWAY, kind: "HTTPRouteFilter", spec: goneSessionFilter() };
}

/** The page that stores a tester's token in the browser. */
export function accessPage(): GatewayObject {
  return {
    apiVersion: ENVOY_GATEWAY,
    kind: "HTTPRouteFilter",
    spec: {
      directResponse: {
        statusCode: 200,
        contentType: "text/html; charset=utf-8",
        body: { type: "Inline", inline: ACCESS_PAGE },
      },
    },
  };
}

/** The route of that page, which no policy for tokens covers: a browser with an expired token removes it there. */
export function accessPageRoute(spec: RoutingSpec): GatewayObject {
  const header = (name: string, value: string): Record<string, string> => ({ name, value });
  return route(spec, "http", [
    {
      name: "page",
      matches: [{ path: { type: "Exact", value: ACCESS.page } }],
      filters: [
        {
          type: "ResponseHeaderModifier",
          responseHeaderModifier: {
            set: [header("cache-control", "no-store"), header("referrer-policy", "no-referrer")],
          },
        },
        {
          type: "ExtensionRef",
          extensionRef: { group: ENVOY_GATEWAY.split("/")[0], kind: "HTTPRouteFilter", name: ROUTING_NAMES.accessPage },
        },
      ],
    },
  ]);
}

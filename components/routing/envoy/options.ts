import type { ClusterKind } from "../../../contract/envoy/names.ts";
import type { Slot } from "../../../contract/slots.ts";

/** Options of a router. The defaults are those of the local stack's container. */
export interface EnvoyOptions {
  /** Port of HTTP, MCP and the dashboard's WebSocket. @default 8080 */
  readonly httpPort?: number;
  /** EXAI_WS_PORT: the same on the router and on the servers. */
  readonly webSocketPort: number;
  /** Public keys that verify tokens for access to a slot: a JWK set as JSON. */
  readonly accessKeys: string;
  /** @default 9901 */
  readonly observePort?: number;
  /** Name of the instance, which the responses of the read-only listener carry. Absent: no name. */
  readonly instance?: string;
  /** Hosts that slots may reach, as `host:port`. Absent: there is no egress listener. */
  readonly egress?: readonly string[];
  /** @default 9902 */
  readonly adminPort?: number;
  /** Directory of the route table's file as Envoy sees it. @default "/etc/exai/routes" */
  readonly routesDirectory?: string;
  /** Writes a JSON line per request to standard output. @default false */
  readonly accessLog?: boolean;
  /** Memory limit of the container, in MiB. Absent: none. */
  readonly memoryMegabytes?: number;
  /** Where a slot listens. @default its name on the network, port 8080 and the WebSocket port */
  readonly upstream?: (slot: Slot, kind: ClusterKind) => { readonly host: string; readonly port: number };
}

import type { Slot } from "../../../contract/slots.ts";
import type { ClusterKind } from "../../../contract/envoy/names.ts";
import type { RouteTable } from "../../../contract/envoy/routes.ts";
import type { Lease } from "./lease.ts";
import type { Readiness } from "../model/machine.ts";

/** Open connections of one slot, counted by the data plane. */
export interface OpenConnections {
  /** Active requests, those of MCP sessions and testers included. */
  readonly requests: number;
  /** Dashboard WebSockets and MCP event streams. */
  readonly streams: number;
  /** WebSockets on EXAI_WS_PORT, those of testers included. */
  readonly webSockets: number;
}

/** Open connections of a slot from the active requests of its clusters. Probes end soon. */
export function openConnections(active: Readonly<Partial<Record<ClusterKind, number>>>): OpenConnections {
  const sum = (...kinds: readonly ClusterKind[]): number =>
    kinds.reduce((total, kind) => total + (active[kind] ?? 0), 0);
  return {
    requests: sum("plain", "session", "tester"),
    streams: sum("stream"),
    webSockets: sum("websocket", "tester-websocket"),
  };
}

/** The data plane of one platform. */
export interface TrafficDriver {
  /** The table in force, read from the data plane; undefined if it has none. */
  inForce(): Promise<RouteTable | undefined>;
  /** Which slots are ready, as seen by the data plane. */
  readiness(): Promise<Readiness>;
  open(): Promise<Readonly<Record<Slot, OpenConnections>>>;
  /** Shuts earlier holders of the lease out and allows this one to change the routes. */
  writer(lease: Lease): Promise<TrafficWriter>;
}

export interface TrafficWriter {
  /**
   * Writes a table and returns when the data plane confirms that it is in force.
   *
   * @returns milliseconds from the write to the read-back
   * @throws FencedError if a newer holder writes; UserError if the table is not in force in time
   */
  apply(table: RouteTable, signal: AbortSignal): Promise<number>;
}

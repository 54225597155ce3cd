import type { Slot } from "../../../contract/slots.ts";
import type { RouteTable } from "../../../contract/envoy/routes.ts";
import type { Lease } from "./lease.ts";
import type { Readiness } from "../model/machine.ts";

/** Open connections of one slot, as the data plane counts them. */
export interface OpenConnections {
  /** Plain requests in flight. */
  readonly requests: number;
  /** Dashboard WebSockets and MCP event streams. */
  readonly streams: number;
  /** WebSockets on EXAI_WS_PORT. */
  readonly webSockets: number;
}

/** The data plane of one platform. A second platform is a second implementation of this. */
export interface TrafficDriver {
  /** The table in force, from the data plane itself; undefined when it has none. */
  inForce(): Promise<RouteTable | undefined>;
  /** Which slots the data plane itself sees ready. */
  readiness(): Promise<Readiness>;
  open(): Promise<Readonly<Record<Slot, OpenConnections>>>;
  /** Shuts earlier holders of the lease out and lets this one change the routes. */
  writer(lease: Lease): Promise<TrafficWriter>;
}

export interface TrafficWriter {
  /**
   * Puts a table in force and returns when the data plane says so.
   *
   * @returns milliseconds from the write to the read-back.
   * @throws FencedError when a newer holder writes; UserError when the data plane does not take it in time.
   */
  apply(table: RouteTable, signal: AbortSignal): Promise<number>;
}

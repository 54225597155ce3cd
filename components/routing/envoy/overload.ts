import { typed, type Json } from "../../../contract/envoy/json.ts";

/** Shares of the container's memory: refusing new requests with 503 keeps the open ones, the kernel would end them all. */
const SHRINK = 0.8;
const REFUSE = 0.9;

/** What a router does when it has more connections or less memory than it can bear. */
export function overloadManager(memoryMegabytes: number | undefined): Json {
  const connections = {
    name: "envoy.resource_monitors.global_downstream_max_connections",
    typed_config: typed("envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig", {
      max_active_downstream_connections: 50_000,
    }),
  };
  if (memoryMegabytes === undefined) return { resource_monitors: [connections] };
  const heap = "envoy.resource_monitors.fixed_heap";
  const above = (name: string, value: number): Json => ({
    name: `envoy.overload_actions.${name}`,
    triggers: [{ name: heap, threshold: { value } }],
  });
  return {
    refresh_interval: "0.25s",
    resource_monitors: [
      connections,
      {
        name: heap,
        typed_config: typed("envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", {
          max_heap_size_bytes: memoryMegabytes * 1024 * 1024,
        }),
      },
    ],
    actions: [above("shrink_heap", SHRINK), above("stop_accepting_requests", REFUSE)],
  };
}

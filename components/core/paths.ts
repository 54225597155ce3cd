import { slotHost } from "../../contract/envoy/names.ts";
import { OBJECT_STORE } from "../../contract/storage/object-store.ts";
import { SLOTS } from "../../contract/slots.ts";

/** A component that opens connections to another one; an end outside of the stack is `HOST` or `INTERNET`. */
export interface Path {
  readonly from: string;
  readonly to: string;
  /** Whether the two need a network of the two alone: `to` is reached by others, or from outside, on its own. */
  readonly apart?: boolean;
}

/** This machine, which reaches published ports. */
export const HOST = "host";

/** Everything that is not on this machine. */
export const INTERNET = "internet";

/** Who opens connections to whom on Docker. A container without a path has no network. */
export const PATHS: readonly Path[] = [
  ...SLOTS.flatMap((slot) => [
    // Users' requests, health, and metrics on behalf of Prometheus.
    { from: "router", to: slotHost(slot) },
    // The egress listener, which passes on what the settings allow.
    { from: slotHost(slot), to: "router" },
    { from: slotHost(slot), to: "pgbouncer", apart: true },
    { from: slotHost(slot), to: OBJECT_STORE.host, apart: true },
  ]),
  { from: "pgbouncer", to: "postgres", apart: true },
  { from: "prometheus", to: "router" },
  { from: "prometheus", to: "postgres-exporter" },
  { from: "prometheus", to: "alertmanager" },
  { from: "postgres-exporter", to: "postgres" },
  { from: "grafana", to: "prometheus" },
  ...["router", "prometheus", "alertmanager", "postgres", "grafana"].map((to) => ({ from: HOST, to })),
  { from: "router", to: INTERNET },
  { from: "alertmanager", to: INTERNET },
];

/** A network of the stack. */
export interface PathNetwork {
  /** The component that is reached on it. */
  readonly name: string;
  readonly members: readonly string[];
  /** Whether it leads to nothing but its members: neither to the internet nor to this machine. */
  readonly internal: boolean;
}

/** The networks that the paths need. Two components share one network if a path joins them, and none otherwise. */
export function networksOf(paths: readonly Path[]): readonly PathNetwork[] {
  const members = new Map<string, Set<string>>();
  const outside = new Set<string>();
  const on = (network: string, ...components: readonly string[]) => {
    const all = members.get(network) ?? new Set();
    for (const component of components) all.add(component);
    members.set(network, all);
  };
  for (const { from, to, apart = false } of paths) {
    if (apart) on(`${from}-${to}`, to, from);
    else if (from === HOST || to === INTERNET) {
      const own = from === HOST ? to : from;
      on(own, own);
      outside.add(own);
    } else if (![...members.values()].some((all) => all.has(from) && all.has(to))) on(to, to, from);
  }
  return [...members].map(([name, all]) => ({ name, members: [...all].sort(), internal: !outside.has(name) }));
}

/** Addresses of internal networks, reserved by RFC 2544 and routed nowhere: the router knows a slot by them. */
export const INTERNAL_RANGE = { address: "198.18.0.0", prefix: 15 } as const;

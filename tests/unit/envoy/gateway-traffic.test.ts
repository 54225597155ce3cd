import { describe, expect, it } from "vitest";
import { slotHost } from "../../../contract/envoy/names.ts";
import { FIRST_TABLE } from "../../../contract/envoy/routes.ts";
import { KIND_PORTS, LISTENERS, ROUTING_NAMES, sharedRules } from "../../../contract/gateway.ts";
import { HTTP_PORT } from "../../../contract/server.ts";
import { SLOTS } from "../../../contract/slots.ts";
import type { Cluster } from "../../../operations/rollout/kubernetes/cluster.ts";
import type { Proxy } from "../../../operations/rollout/kubernetes/gateway-proxies.ts";
import { GatewayTraffic } from "../../../operations/rollout/kubernetes/gateway-traffic.ts";

const NAMESPACE = "exai-test";

/** What a proxy answers that has the first table and both slots. */
const CONFIGURED: Readonly<Record<string, unknown>> = {
  "/clusters?format=json": {
    cluster_statuses: SLOTS.flatMap((slot) =>
      [HTTP_PORT, KIND_PORTS.probe].map((port) => ({
        name: `service/${NAMESPACE}/${slotHost(slot)}/${String(port)}/http`,
        host_statuses: [{ health_status: { eds_health_status: "HEALTHY" } }],
      })),
    ),
  },
  "/config_dump?resource=dynamic_route_configs": {
    configs: LISTENERS.map((listener) => {
      const rules = sharedRules({ listener, wsPort: 8079, table: FIRST_TABLE });
      const routes = rules.map(({ name: sectionName, backendRefs }) => ({
        ...(backendRefs === undefined
          ? { direct_response: { status: 404 } }
          : { route: { cluster: `service/${NAMESPACE}/${slotHost("blue")}/${String(HTTP_PORT)}/http` } }),
        metadata: {
          filter_metadata: {
            "envoy-gateway": {
              resources: [
                { kind: "HTTPRoute", namespace: NAMESPACE, name: ROUTING_NAMES.shared[listener], sectionName },
              ],
            },
          },
        },
      }));
      return { route_config: { virtual_hosts: [{ routes }] } };
    }),
  },
};

/** What Envoy answers from its start until the gateway has configured it. */
const STARTING: typeof CONFIGURED = {
  "/clusters?format=json": { cluster_statuses: [] },
  "/config_dump?resource=dynamic_route_configs": {},
};

const proxy = (answers: typeof CONFIGURED, serving: boolean): Proxy => ({
  pod: "envoy",
  serving,
  get: (path) => Promise.resolve(answers[path]),
});

function traffic(...proxies: readonly Proxy[]): GatewayTraffic {
  const cluster = { namespace: NAMESPACE, read: () => Promise.resolve({ status: { readyReplicas: 2 } }) };
  return new GatewayTraffic({
    cluster: cluster as unknown as Cluster,
    proxies: { all: () => Promise.resolve(proxies) },
    wsPort: 8079,
  });
}

describe("a gateway with a proxy that starts", () => {
  const starts = traffic(proxy(CONFIGURED, true), proxy(STARTING, false));

  it("has ready slots: the proxy has none yet, which is not a slot that is down", async () => {
    expect(await starts.readiness()).toEqual({ blue: true, green: true });
  });

  it("has the table of the proxies with users", async () => {
    expect(await starts.inForce()).toEqual(FIRST_TABLE);
  });

  it("has no ready slot if the only proxy with users has none", async () => {
    expect(await traffic(proxy(STARTING, true)).readiness()).toEqual({ blue: false, green: false });
  });

  it("has no table if a proxy with users has none", async () => {
    await expect(traffic(proxy(CONFIGURED, true), proxy(STARTING, true)).inForce()).rejects.toThrow("different tables");
  });
});

describe("a slot without weight", () => {
  const HEALTHY = [{ health_status: { eds_health_status: "HEALTHY" } }];
  const withClusters = (clusters: Readonly<Record<string, typeof HEALTHY>>): typeof CONFIGURED => ({
    ...CONFIGURED,
    "/clusters?format=json": {
      cluster_statuses: Object.entries(clusters).map(([name, host_statuses]) => ({
        name: `service/${NAMESPACE}/${name}/http`,
        host_statuses,
      })),
    },
  });
  const ready = (clusters: Readonly<Record<string, typeof HEALTHY>>) =>
    traffic(proxy(withClusters(clusters), true)).readiness();
  const blue = { "server-blue/8080": HEALTHY, [`server-blue/${String(KIND_PORTS.probe)}`]: HEALTHY };
  const [probe, tester] = [`server-green/${String(KIND_PORTS.probe)}`, `server-green/${String(KIND_PORTS.tester)}`];

  it("is not ready without a healthy replica in each cluster that users and probes have", async () => {
    const plain = "server-green/8080";
    expect(await ready({ ...blue, [probe]: HEALTHY, [plain]: HEALTHY })).toEqual({ blue: true, green: true });
    expect(await ready({ ...blue, [probe]: [], [plain]: HEALTHY })).toEqual({ blue: true, green: false });
    expect(await ready({ ...blue, [probe]: HEALTHY, [plain]: [] })).toEqual({ blue: true, green: false });
    expect(await ready({ ...blue, [probe]: HEALTHY })).toEqual({ blue: true, green: false });
    expect(await ready({ ...blue, [plain]: HEALTHY, [tester]: HEALTHY })).toEqual({ blue: true, green: false });
  });
});

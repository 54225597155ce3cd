import { describe, expect, it } from "vitest";
import { CLUSTERS } from "../../../contract/envoy/names.ts";
import { QUEUEING } from "../../../contract/envoy/queueing.ts";
import { FIRST_TABLE, routesFile } from "../../../contract/envoy/routes.ts";
import { LISTEN_BACKLOG, RETRY_AFTER_SECONDS } from "../../../contract/server.ts";
import { envoyBootstrap } from "../../../components/routing/bootstrap.ts";
import { localReplies } from "../../../components/routing/envoy/local-replies.ts";
import { backendPolicy, clientPolicy } from "../../../components/routing/gateway-policies.ts";

interface Cluster {
  readonly connect_timeout: string;
  readonly circuit_breakers: { readonly thresholds: readonly Readonly<Record<string, unknown>>[] };
}
interface Mapper {
  readonly filter: { readonly and_filter: { readonly filters: readonly [object, RuntimeFilter] } };
  readonly headers_to_add: readonly { readonly header: { readonly key: string; readonly value: string } }[];
}
interface RuntimeFilter {
  readonly runtime_filter: { readonly percent_sampled: { readonly numerator: number } };
}
interface Bootstrap {
  readonly overload_manager: { readonly actions?: readonly { readonly name: string }[] };
  readonly static_resources: { readonly clusters: readonly Cluster[] };
}

const bootstrap = (memoryMegabytes?: number) =>
  envoyBootstrap({
    accessKeys: "{}",
    webSocketPort: 8079,
    ...(memoryMegabytes === undefined ? {} : { memoryMegabytes }),
  }) as unknown as Bootstrap;

/** When Linux gives up a SYN's wait and sends it again, in seconds after the first. */
const SYN_REPEATED_AFTER = [1, 3, 7, 15, 31];

describe("queueing for a busy server", () => {
  it("waits for three repetitions of a SYN", () => {
    expect(SYN_REPEATED_AFTER.filter((seconds) => seconds < QUEUEING.connectSeconds)).toHaveLength(3);
  });

  it("is the same on Docker and on Envoy Gateway", () => {
    const clusters = bootstrap().static_resources.clusters.slice(0, CLUSTERS.length);
    const { spec } = backendPolicy();
    expect(spec).toMatchObject({
      circuitBreaker: {
        maxConnections: QUEUEING.ceiling,
        maxPendingRequests: QUEUEING.ceiling,
        maxParallelRequests: QUEUEING.ceiling,
        maxParallelRetries: QUEUEING.ceiling,
      },
      timeout: { tcp: { connectTimeout: "10s" } },
      retry: {
        numRetries: QUEUEING.retries,
        perRetry: { backOff: { baseInterval: "100ms", maxInterval: "1000ms" } },
      },
    });
    for (const cluster of clusters) {
      expect(cluster.connect_timeout).toBe("10s");
      expect(cluster.circuit_breakers.thresholds).toEqual([
        {
          priority: "DEFAULT",
          max_connections: QUEUEING.ceiling,
          max_pending_requests: QUEUEING.ceiling,
          max_requests: QUEUEING.ceiling,
          max_retries: QUEUEING.ceiling,
        },
      ]);
    }
  });

  it("retries only what no server has received, and limits no single try", () => {
    const policies = [...JSON.stringify(routesFile(FIRST_TABLE)).matchAll(/"retry_policy":(\{.*?\}\})/g)].map(
      ([, policy = ""]) => JSON.parse(policy) as Record<string, unknown>,
    );
    expect(policies.length).toBeGreaterThan(10);
    for (const policy of policies)
      expect(policy).toEqual({
        retry_on: "connect-failure,refused-stream,reset-before-request",
        num_retries: QUEUEING.retries,
        retry_back_off: { base_interval: "0.1s", max_interval: "1s" },
      });
  });

  it("holds more connections than the server's backlog and Envoy's own ceilings", () => {
    expect(QUEUEING.ceiling).toBeGreaterThan(LISTEN_BACKLOG);
    // net.ipv4.ip_local_port_range of Linux is 32768 to 60999.
    expect(QUEUEING.ceiling).toBeLessThan(60_999 - 32_768 + 1);
  });
});

describe("the router's own 503", () => {
  it("spreads the clients' return evenly over the seconds", () => {
    const { mappers } = localReplies() as unknown as { mappers: readonly Mapper[] };
    let left = 1;
    const shares = mappers.map(({ filter, headers_to_add: [header] }) => {
      const share = left * (filter.and_filter.filters[1].runtime_filter.percent_sampled.numerator / 100);
      left -= share;
      expect(header?.header.key).toBe("retry-after");
      return [header?.header.value, Math.round(share * 100) / 100] as const;
    });
    expect(shares).toEqual(
      Array.from({ length: RETRY_AFTER_SECONDS }, (_, index) => [String(index + 1), 1 / RETRY_AFTER_SECONDS]),
    );
  });

  it("has the same header on Envoy Gateway, unless the server sent one", () => {
    const tagged = { tlsSecret: undefined, sessionTags: true } as Parameters<typeof clientPolicy>[0];
    const { headers } = clientPolicy(tagged).spec as {
      headers: { lateResponseHeaders: { addIfAbsent: { name: string; value: string }[] } };
    };
    const [added] = headers.lateResponseHeaders.addIfAbsent;
    expect(added?.name).toBe("retry-after");
    for (let second = 1; second <= RETRY_AFTER_SECONDS; second += 1)
      expect(added?.value).toContain(`'${String(second)}'`);
  });

  it("is what the router answers before its memory is used up, if it has a limit", () => {
    expect(bootstrap(256).overload_manager.actions?.map(({ name }) => name)).toContain(
      "envoy.overload_actions.stop_accepting_requests",
    );
    expect(bootstrap().overload_manager.actions).toBeUndefined();
  });
});

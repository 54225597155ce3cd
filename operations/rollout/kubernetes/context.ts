import type { ListenerTls } from "./pod-agent.ts";
import { DEFAULT_DEADLINES, type RolloutContext, type RolloutOptions } from "../ports/context.ts";
import { DEFAULT_GATES } from "../gates/settings.ts";
import { GatewayTraffic } from "./gateway-traffic.ts";
import type { Cluster } from "./cluster.ts";
import { KubernetesControlStore } from "./control.ts";
import { forwardPort } from "./port-forward.ts";
import { KubernetesJournalStore } from "./journal.ts";
import { KubernetesLeaseStore } from "./lease.ts";
import { GatewayProxies, listenerPort } from "./gateway-proxies.ts";
import { currentUser } from "../host/process-identity.ts";

/** A stack on Kubernetes, for {@link kubernetesRollout}. */
export interface KubernetesRollout extends RolloutOptions {
  readonly cluster: Cluster;
  /** Namespace of Envoy Gateway's proxies. */
  readonly gatewayNamespace: string;
  /** Host name of the gateway's listeners. */
  readonly hostname: string;
  /** Whether the listeners use TLS. */
  readonly tls: boolean;
  /** EXAI_WS_PORT. */
  readonly wsPort: number;
  /** Name and port of Prometheus' Service, e.g. `prometheus:9090`. */
  readonly prometheus: string;
}

/** A context with open connections. */
export interface OpenRollout {
  readonly context: RolloutContext;
  close(): Promise<void>;
}

/**
 * The context of a stack on Kubernetes. All connections go through the API server: a kubeconfig is enough to lead a rollout,
 * without access to the gateway's address, the proxies or Prometheus.
 */
export async function kubernetesRollout(options: KubernetesRollout): Promise<OpenRollout> {
  const { cluster, hostname, wsPort, webSocketToken, schema, announcer, hooks } = options;
  const proxies = new GatewayProxies(cluster, options.gatewayNamespace);
  const tls: ListenerTls | undefined = options.tls ? { servername: hostname } : undefined;
  const toListener = (listener: "http" | "websocket") => async () => ({
    options: await proxies.listener(listenerPort(listener, wsPort, options.tls), tls),
    headers: { host: hostname },
  });
  const [router, webSocket, prometheus] = await Promise.all([
    forwardPort(toListener("http")),
    forwardPort(toListener("websocket")),
    forwardPort(async () => {
      const { headers, ...api } = await cluster.requestOptions();
      const prefix = `/api/v1/namespaces/${cluster.namespace}/services/${options.prometheus}/proxy`;
      const own = { ...(headers as Record<string, string> | undefined), host: String(api.hostname) };
      return { options: api, prefix, headers: own };
    }),
  ]);
  const journal = new KubernetesJournalStore(cluster);
  const traffic = new GatewayTraffic({ cluster, proxies, wsPort });
  return {
    context: {
      traffic,
      journal,
      leases: new KubernetesLeaseStore(cluster, {
        floor: async () => Math.max(...(await Promise.all([journal.token(), traffic.token()]))),
        ...(options.leaseSeconds === undefined ? {} : { seconds: options.leaseSeconds }),
      }),
      control: new KubernetesControlStore(cluster),
      deployer: options.deployer,
      access: options.access,
      routerUrl: router.url,
      webSocketUrl: webSocket.url.replace(/^http/, "ws"),
      prometheusUrl: prometheus.url,
      gates: { ...DEFAULT_GATES, ...options.gates },
      deadlines: { ...DEFAULT_DEADLINES, ...options.deadlines },
      defaults: options.defaults ?? {},
      ...(webSocketToken === undefined ? {} : { webSocketToken }),
      ...(schema === undefined ? {} : { schema }),
      ...(announcer === undefined ? {} : { announcer }),
      ...(hooks === undefined ? {} : { hooks }),
      signal: options.signal ?? new AbortController().signal,
      who: currentUser(),
    },
    close: async () => {
      await Promise.all([router.close(), webSocket.close(), prometheus.close()]);
      proxies.close();
    },
  };
}

import { request, type RequestOptions } from "node:http";
import { ROUTING_NAMES, type Listener } from "../../../contract/gateway.ts";
import { UserError } from "../../../contract/errors.ts";
import type { Cluster } from "./cluster.ts";
import type { Found, Pod, Service } from "./api-types.ts";
import { PodAgent, type ListenerTls } from "./pod-agent.ts";

/** Port of Envoy's administration interface, set by Envoy Gateway. It listens only on the pod's loopback address. */
const ADMIN_PORT = 19_000;

/** Deadline for one answer of a proxy, in milliseconds. */
const ANSWER_MS = 5000;

/** One Envoy proxy of the gateway. */
export interface Proxy {
  readonly pod: string;
  /** Whether it gets new connections. */
  readonly serving: boolean;
  /** GET on Envoy's administration interface. @throws Error */
  get(path: string): Promise<unknown>;
}

/** The Envoy proxies of a stack's gateway, each reached through the API server. */
export class GatewayProxies {
  readonly #cluster: Cluster;
  readonly #namespace: string;
  readonly #agents = new Map<string, PodAgent>();
  #servicePorts: ReadonlyMap<number, number> = new Map();

  /** @param namespace that the proxies run in */
  constructor(cluster: Cluster, namespace: string) {
    this.#cluster = cluster;
    this.#namespace = namespace;
  }

  /**
   * All proxies that may still answer a user, including those that are terminating: they still serve their open
   * connections.
   *
   * @throws UserError if none is ready
   */
  async all(): Promise<readonly Proxy[]> {
    const pods = await this.#pods();
    const running = pods.filter(({ status }) => status?.phase === "Running");
    if (!running.some(isServing))
      throw new UserError(
        "unavailable",
        `gateway ${this.#cluster.namespace}/${ROUTING_NAMES.gateway}`,
        `none of its Envoy proxies in ${this.#namespace} is ready`,
        `kubectl --context ${this.#cluster.context} --namespace ${this.#namespace} get pods`,
      );
    return running.map((pod) => ({
      pod: pod.metadata.name,
      serving: isServing(pod),
      get: (path) => this.#get(pod, path),
    }));
  }

  /** Options for a request to a listener of a serving proxy, as users send it. */
  async listener(port: number, tls: ListenerTls | undefined): Promise<RequestOptions> {
    const pod = (await this.#pods()).find(isServing);
    if (pod === undefined) throw new Error("no Envoy proxy is ready");
    let target = this.#servicePorts.get(port);
    if (target === undefined) {
      // Not kept if the Service cannot be read or does not exist yet.
      this.#servicePorts = await this.#ports();
      target = this.#servicePorts.get(port);
    }
    if (target === undefined) throw new Error(`the gateway's Service has no port ${String(port)}`);
    return { agent: this.#agent(pod, target, tls) };
  }

  /** Ends the connections. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  async #pods(): Promise<readonly Found<Pod>[]> {
    return this.#cluster.list<Pod>("v1", "Pod", this.#labels(), this.#namespace);
  }

  #labels(): Record<string, string> {
    const owner = "gateway.envoyproxy.io/owning-gateway";
    return { [`${owner}-name`]: ROUTING_NAMES.gateway, [`${owner}-namespace`]: this.#cluster.namespace };
  }

  /** The proxies' port behind each port of the gateway. */
  async #ports(): Promise<ReadonlyMap<number, number>> {
    const [service] = await this.#cluster.list<Service>("v1", "Service", this.#labels(), this.#namespace);
    return new Map((service?.spec?.ports ?? []).map(({ port, targetPort }) => [port, Number(targetPort ?? port)]));
  }

  #agent(pod: Found<Pod>, port: number, tls?: ListenerTls): PodAgent {
    const { name, uid } = pod.metadata;
    const key = `${String(uid)}:${String(port)}`;
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      agent = new PodAgent(() => this.#cluster.connect(this.#namespace, name, port), tls);
      this.#agents.set(key, agent);
    }
    return agent;
  }

  #get(pod: Found<Pod>, path: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        reject(new Error(`${pod.metadata.name}: ${error.message}`));
      };
      const outgoing = request({ agent: this.#agent(pod, ADMIN_PORT), path, headers: { host: "envoy" } }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", fail);
        answer.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          try {
            if (answer.statusCode !== 200) throw new Error(`HTTP ${String(answer.statusCode)}: ${text.slice(0, 200)}`);
            resolve(JSON.parse(text));
          } catch (error) {
            fail(error instanceof Error ? error : new Error(String(error)));
          }
        });
      });
      const timer = setTimeout(() => outgoing.destroy(new Error("no answer in time")), ANSWER_MS);
      outgoing.on("close", () => {
        clearTimeout(timer);
      });
      outgoing.on("error", fail);
      outgoing.end();
    });
  }
}

function isServing({ metadata, status }: Pod): boolean {
  const ready = status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true;
  return ready && metadata?.deletionTimestamp === undefined;
}

/** The gateway's port of a listener. */
export function listenerPort(listener: Listener, wsPort: number, tls: boolean): number {
  return listener === "websocket" ? wsPort : tls ? 443 : 80;
}

import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { declaredStack } from "../../../platforms/declared.ts";
import { openKubernetesRollout } from "../../../platforms/kubernetes/rollout.ts";
import type { Overrides } from "../../../platforms/compose/project.ts";
import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { slotHost } from "../../../contract/envoy/names.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { LABELS } from "../../../contract/labels.ts";
import { JOBS } from "../../../contract/monitoring.ts";
import { HTTP_PORT } from "../../../contract/server.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import type { GateSettings } from "../../../operations/rollout/gates/settings.ts";
import { Cluster } from "../../../operations/rollout/kubernetes/cluster.ts";
import type { OpenRollout } from "../../../operations/rollout/kubernetes/context.ts";
import type {
  ApiObject,
  ConfigMap,
  Deployment,
  Pod,
  Service,
} from "../../../operations/rollout/kubernetes/api-types.ts";
import type { SlotImages } from "../../../operations/rollout/kubernetes/slots.ts";
import { Prometheus } from "../../../operations/rollout/gates/prometheus.ts";
import { WINDOW_SELECTOR } from "../../../operations/rollout/gates/traffic-samples.ts";
import { capture } from "../../../synth/capture.ts";
import { manifests } from "../../../synth/manifests.ts";
import { stackFileSource } from "../../../synth/stack-file.ts";
import { until } from "../rollout/stack.ts";
import { loadImage, provideImages } from "./images.ts";
import { certificate, DIGEST, standIn } from "./stand-ins.ts";

/** Namespace of the test cluster's Envoy Gateway. */
export const GATEWAY_NAMESPACE = process.env.EXAI_TEST_GATEWAY_NAMESPACE ?? "envoy-gateway-system";

const ROOT = join(import.meta.dirname, "../../..");

/** What the rollout needs of a stack; databases, backups and dashboards are left out. */
const PARTS =
  /^(Namespace|EnvoyProxy|Gateway|BackendTrafficPolicy|ClientTrafficPolicy|EnvoyExtensionPolicy|SecurityPolicy|HTTPRoute|HTTPRouteFilter)\/|\/(server[\w-]*|prometheus|exai-access)$/;

/** Gates that pass soon and do not judge the speed of a busy machine. */
export const KUBERNETES_GATES: Partial<GateSettings> = {
  ...{ minimumSamples: 40, minimumRoundTrips: 10, checkSeconds: 1, noDataSeconds: 120, sharedProblemSeconds: 30 },
  ...{ p95Milliseconds: 5000, p99Milliseconds: 10_000, webSocketMilliseconds: 5000, memoryGrowth: 0 },
};

/** Staging's own manifests on a real cluster, with a rollout's part of its monitoring. */
export interface KubernetesStack {
  readonly namespace: string;
  readonly hostname: string;
  readonly cluster: Cluster;
  /** Settings by which `./exai … --stack staging` reaches it. */
  readonly settings: Overrides;
  /** Address and ports of the gateway's Service, which nodes and pods reach. */
  readonly address: string;
  /** The image of the server as the cluster knows it. */
  readonly image: string;
  /** Whether the gateway keeps MCP sessions on their slot. */
  readonly sessionTags: boolean;
  open(options?: OpenOptions): Promise<OpenRollout>;
  down(): Promise<void>;
}

interface OpenOptions {
  readonly signal?: AbortSignal;
  readonly gates?: Partial<GateSettings>;
  /** Settings that win over the stack's. */
  readonly settings?: Overrides;
}

/** Brings the stack up; it is ready when both slots are, and Prometheus has scraped the gateway. */
export async function startKubernetesStack(kubeconfig: string, more: Overrides = {}): Promise<KubernetesStack> {
  const namespace = `exai-rollout-${randomBytes(3).toString("hex")}`;
  const hostname = `${namespace}.exai.test`;
  const cluster = Cluster.open({ kubeconfig, namespace });
  const images = [LOCAL_IMAGES.referenceServer, LOCAL_IMAGES.prometheus];
  await provideImages(images);
  for (const image of images) loadImage(image);
  const gateway = await gatewayOf(cluster);
  const settings: Overrides = {
    instance: namespace,
    hostname,
    productionUrl: `https://${hostname}`,
    kubeconfig,
    kubeContext: cluster.context,
    gatewayNamespace: GATEWAY_NAMESPACE,
    gatewayService: "ClusterIP",
    gatewayReplicas: "1",
    ...(gateway.image === undefined ? {} : { gatewayImage: gateway.image }),
    mcpSessionTags: String(gateway.lua),
    image: `${LOCAL_IMAGES.referenceServer}${DIGEST}`,
    prometheusImage: `${LOCAL_IMAGES.prometheus}${DIGEST}`,
    metricsStorage: "ephemeral",
    // The node of a test cluster is small.
    replicas: "2",
    serverCpus: "0.6",
    serverMemory: "192",
    graceSeconds: "5",
    ...more,
  };
  const down = async (): Promise<void> => {
    for (const { metadata } of headlessServices(namespace))
      await cluster.remove({ apiVersion: "v1", kind: "Service", metadata });
    await cluster.remove({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  };
  try {
    const graph = await capture("staging", stackFileSource(ROOT, "staging", { defers: true, overrides: settings }));
    for (const { id, object } of manifests(graph, { withSecrets: true, fill: standIn })) {
      // What lies in the gateway's namespace is for the discovery that is not used here.
      if (!PARTS.test(id)) continue;
      const text = JSON.stringify(object).replaceAll(DIGEST, "");
      await cluster.apply(withFoundTargets(JSON.parse(text) as ApiObject, namespace), "exai-test");
    }
    for (const service of headlessServices(namespace)) await cluster.apply(service, "exai-test");
    await cluster.apply(certificate(namespace, hostname), "exai-test");
    const context = async (options: OpenOptions = {}): Promise<OpenRollout> => {
      const signal = options.signal ?? new AbortController().signal;
      const opened = await openKubernetesRollout(
        declaredStack("staging", { ...settings, ...options.settings }),
        signal,
        slotImages(cluster),
      );
      return {
        ...opened,
        context: { ...opened.context, gates: { ...opened.context.gates, ...KUBERNETES_GATES, ...options.gates } },
      };
    };
    const opened = await context();
    try {
      await ready(opened.context);
    } finally {
      await opened.close();
    }
    const address = await gatewayAddress(cluster);
    const image = LOCAL_IMAGES.referenceServer;
    return { namespace, hostname, cluster, settings, address, image, sessionTags: gateway.lua, open: context, down };
  } catch (error) {
    await down();
    throw error;
  }
}

/** What the engine does to a slot, without the engine: the Deployment's image alone, which the node has already. */
export function slotImages(cluster: Cluster): SlotImages {
  return {
    put: async (slot, image) => {
      const name = slotHost(slot);
      const containers = [{ name: "server", image }];
      const metadata = { name, namespace: cluster.namespace };
      const spec = { template: { spec: { containers } } };
      await cluster.apply({ apiVersion: "apps/v1", kind: "Deployment", metadata, spec } as never, "exai-test-engine");
    },
    locate: () => Promise.resolve("on the node"),
  };
}

/** A kubeconfig with the token of a service account in the place of the user's own credentials. */
export async function accountKubeconfig(
  kubeconfig: string,
  account: { readonly name: string; readonly namespace: string },
): Promise<{ readonly path: string; remove(): void }> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const request = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences: [] } };
  const body = request as never;
  const { status } = await config.makeApiClient(CoreV1Api).createNamespacedServiceAccountToken({ ...account, body });
  const user = config.getCurrentUser()?.name ?? "";
  config.users = [{ name: user, token: status?.token ?? "" }];
  const folder = mkdtempSync(join(tmpdir(), "exai-account-"));
  const path = join(folder, "kubeconfig");
  writeFileSync(path, config.exportConfig(), { mode: 0o600 });
  return {
    path,
    remove: () => {
      rmSync(folder, { recursive: true });
    },
  };
}

/** Running pods of a slot. */
export async function slotPods(cluster: Cluster, slot: Slot): Promise<readonly Pod[]> {
  const pods = await cluster.list<Pod>("v1", "Pod", { "exai.component": "server", "exai.slot": slot });
  return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** The gateway's proxies. */
export async function proxyPods(cluster: Cluster): Promise<readonly Pod[]> {
  return cluster.list<Pod>("v1", "Pod", ownerLabels(cluster.namespace), GATEWAY_NAMESPACE);
}

async function ready(context: RolloutContext): Promise<void> {
  await until("both slots ready", 240, async () => {
    const both = await context.traffic.readiness();
    return both.blue && both.green;
  });
  await until("the first table in force", 60, async () => (await context.traffic.inForce()) !== undefined);
  await until("the gateway scraped twice", 90, async () => {
    // Envoy counts a slot from its first request on.
    for (const slot of SLOTS)
      await (
        await fetch(new URL("/health", context.routerUrl), { headers: await context.access.probe(slot) })
      ).arrayBuffer();
    const series = await new Prometheus(context.prometheusUrl).samples(WINDOW_SELECTOR, 30);
    return SLOTS.every((slot) => series.some(({ labels, samples }) => labels.slot === slot && samples.length > 1));
  });
}

/**
 * Whether the controller allows Lua, and the image of its proxies. `EXAI_TEST_ENABLE_LUA=1` permits a change of the
 * controller's configuration.
 */
export async function gatewayOf(cluster: Cluster): Promise<{ lua: boolean; image?: string | undefined }> {
  const reference = { apiVersion: "v1", kind: "ConfigMap", name: "envoy-gateway-config", namespace: GATEWAY_NAMESPACE };
  const config = await cluster.read<ConfigMap>(reference);
  if (config === undefined) throw new Error("Envoy Gateway is not installed: see docs/deploy.md");
  const text = config.data?.["envoy-gateway.yaml"] ?? "{}";
  const controller = parse(text) as Controller;
  let lua = controller.extensionApis?.enableLua === true;
  if (!lua && process.env.EXAI_TEST_ENABLE_LUA === "1") {
    await allowLua(cluster, { ...controller, extensionApis: { ...controller.extensionApis, enableLua: true } });
    lua = true;
  }
  return { lua, image: controller.envoyProxy?.provider?.kubernetes?.envoyDeployment?.container?.image };
}

/** Changes the controller's own configuration and restarts it: only for a disposable cluster. */
async function allowLua(cluster: Cluster, controller: Controller): Promise<void> {
  const home = { namespace: GATEWAY_NAMESPACE };
  await cluster.apply<ConfigMap>(
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "envoy-gateway-config", ...home },
      data: { "envoy-gateway.yaml": stringify(controller) },
    },
    "exai-test",
  );
  const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "envoy-gateway", ...home } };
  const annotations = { "exai.test/lua": "on" };
  await cluster.apply({ ...deployment, spec: { template: { metadata: { annotations } } } } as never, "exai-test");
  await until("Envoy Gateway to restart", 120, async () => {
    const found = await cluster.read<Deployment>({ ...deployment, ...deployment.metadata });
    const { observedGeneration, updatedReplicas, availableReplicas, replicas } = found?.status ?? {};
    const settled = observedGeneration === found?.metadata.generation && updatedReplicas === replicas;
    return settled && availableReplicas === replicas;
  });
}

/** Finds its targets by headless Services' names: Debian's Prometheus is built without the discovery of a cluster. */
function withFoundTargets(object: ApiObject, namespace: string): ApiObject {
  if (object.kind !== "ConfigMap") return object;
  const map = object as ConfigMap;
  const config = parse(map.data?.["prometheus.yml"] ?? "") as { scrape_configs: Record<string, unknown>[] };
  const found: Readonly<Record<string, { names: string[]; port: number }>> = {
    [JOBS.router]: { names: [`${namespace}.${GATEWAY_NAMESPACE}.svc.cluster.local`], port: 19_001 },
    [JOBS.server]: { names: SLOTS.map((slot) => `${slot}.${namespace}.svc.cluster.local`), port: HTTP_PORT },
  };
  const scrape_configs = config.scrape_configs.flatMap((job) => {
    const targets = found[String(job.job_name)];
    if (targets === undefined) return [];
    const own = Object.entries(job).filter(([key]) => !/^(kubernetes_sd|relabel)_configs$/.test(key));
    const slot = { source_labels: ["__meta_dns_name"], regex: "(blue|green)[.].*", target_label: "slot" };
    const dns_sd_configs = [{ ...targets, type: "A", refresh_interval: "2s" }];
    return [{ ...Object.fromEntries(own), dns_sd_configs, relabel_configs: [slot] }];
  });
  return { ...map, data: { ...map.data, "prometheus.yml": stringify({ ...config, scrape_configs }) } } as ApiObject;
}

/** The headless Services that Prometheus asks the names of. */
function headlessServices(namespace: string): readonly (Service & { metadata: { name: string; namespace: string } })[] {
  const headless = (name: string, home: string, selector: Record<string, string>, port: number) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: home },
    spec: { clusterIP: "None", selector, ports: [{ name: "metrics", port }] },
  });
  return [
    headless(namespace, GATEWAY_NAMESPACE, ownerLabels(namespace), 19_001),
    ...SLOTS.map((slot) => headless(slot, namespace, { [LABELS.component]: "server", [LABELS.slot]: slot }, HTTP_PORT)),
  ];
}

/** Address of the gateway's Service, which nodes and pods reach. */
export async function gatewayAddress(cluster: Cluster): Promise<string> {
  const services = await cluster.list<Service>("v1", "Service", ownerLabels(cluster.namespace), GATEWAY_NAMESPACE);
  return services[0]?.spec?.clusterIP ?? "";
}

function ownerLabels(namespace: string): Record<string, string> {
  const owner = "gateway.envoyproxy.io/owning-gateway";
  return { [`${owner}-name`]: "exai", [`${owner}-namespace`]: namespace };
}

/** The part of Envoy Gateway's configuration that is read here. */
interface Controller {
  readonly extensionApis?: { readonly enableLua?: boolean };
  readonly envoyProxy?: {
    readonly provider?: {
      readonly kubernetes?: { readonly envoyDeployment?: { readonly container?: { readonly image?: string } } };
    };
  };
}

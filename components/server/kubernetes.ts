import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { SLOTS, type Slot } from "../../contract/slots.ts";
import { isWebSocket, type ClusterKind } from "../../contract/envoy/names.ts";
import { KIND_PORTS } from "../../contract/gateway.ts";
import { HTTP_PORT, SECRETS_DIRECTORY, SERVER_PATHS, SERVER_UID } from "../../contract/server.ts";
import { ExaiComponent } from "../core/component.ts";
import {
  internet,
  metadata,
  opening,
  peer,
  selectorLabels,
  tcp,
  tokenlessAccount,
  type KubernetesPlatform,
} from "../core/kubernetes.ts";
import { httpProbe, podTemplate, type PodSpec } from "../core/pod.ts";
import { transformed, type Transform } from "../core/transform.ts";
import { DATABASE_PORTS } from "../database/paths.ts";
import { MountedSecret, SECRETS_DIGEST } from "../secrets/kubernetes.ts";
import { plainEnvironment, secretFiles, type ServerEnvironment, type SlotSecrets } from "./environment.ts";

/**
 * Seconds between a pod's removal from the endpoints and its SIGTERM. Measured: Envoy Gateway sends a change to its
 * proxies within 1.3 to 2.6 s.
 */
const PRE_STOP_SECONDS = 5;

/** A port of a slot's Service that leads to the pods' HTTP or WebSocket port. */
function servicePort(kind: ClusterKind, port: number, name: string): k8s.types.input.core.v1.ServicePort {
  const target = isWebSocket(kind)
    ? { targetPort: "websocket", appProtocol: "kubernetes.io/ws" }
    : { targetPort: "http", appProtocol: "http" };
  return { name, port, protocol: "TCP", ...target };
}

export interface KubernetesServerArgs {
  readonly platform: KubernetesPlatform;
  /** Image of each slot, by digest. */
  readonly images: Readonly<Record<Slot, pulumi.Input<string>>>;
  /** Replicas of each slot; both slots always run at full scale, so that a rollback starts no pod. */
  readonly replicas: number;
  readonly environment: ServerEnvironment;
  readonly secrets: SlotSecrets;
  /** Memory of one replica, MiB: request and limit. */
  readonly memoryMegabytes: number;
  /** CPU limit of one replica, cores; a quarter of it is requested. */
  readonly cpus: number;
  /** Namespace that the gateway's proxies run in. */
  readonly gatewayNamespace: string;
  /** Component label of the pods that scrape metrics, in the stack's namespace. @default "prometheus" */
  readonly scraper?: string;
  /** Escape hatches for the objects of both slots. */
  readonly transform?: {
    readonly deployment?: Transform<k8s.apps.v1.DeploymentArgs>;
    readonly service?: Transform<k8s.core.v1.ServiceArgs>;
    readonly disruptionBudget?: Transform<k8s.policy.v1.PodDisruptionBudgetArgs>;
  };
}

/** The EX-AI server on Kubernetes: a Deployment, a Service and a disruption budget for each of the two slots. */
export class KubernetesServer extends ExaiComponent {
  /** Name of each slot's Service, as an output of the Service. */
  readonly services: Readonly<Record<Slot, pulumi.Output<string>>>;
  readonly deployments: Readonly<Record<Slot, k8s.apps.v1.Deployment>>;

  constructor(name: string, args: KubernetesServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("exai:server:KubernetesServer", name, { slots: SLOTS, replicas: args.replicas }, opts);
    const { platform, transform } = args;
    const part = { component: "server" } as const;
    const account = tokenlessAccount(`${name}-account`, "server", platform, part, { parent: this });
    opening(`${name}-network`, "server", platform, part, serverOpenings(args), { parent: this });

    const slot = (slot: Slot): { service: k8s.core.v1.Service; deployment: k8s.apps.v1.Deployment } => {
      const object = slotName(slot);
      const slotPart = { ...part, slot };
      const service = new k8s.core.v1.Service(
        ...transformed(
          transform?.service,
          `${name}-${slot}-service`,
          {
            metadata: metadata(platform, slotPart, object),
            spec: {
              type: "ClusterIP",
              selector: selectorLabels(platform, slotPart),
              ports: [
                { name: "http", port: HTTP_PORT, targetPort: "http", protocol: "TCP", appProtocol: "http" },
                servicePort("websocket", args.environment.wsPort, "websocket"),
                ...Object.entries(KIND_PORTS).map(([kind, port]) => servicePort(kind as ClusterKind, port, kind)),
              ],
            },
          },
          { parent: this },
        ),
      );
      // A separate object, so that a slot's keys change with its deployment and the pods of the other slot stay.
      const secrets = new MountedSecret(
        `${name}-${slot}-secrets`,
        {
          platform,
          part: slotPart,
          name: `${object}-secrets`,
          files: Object.fromEntries(secretFiles(args.secrets[slot]).map(({ file, content }) => [file, content])),
        },
        { parent: this },
      );
      const spec = slotPod(slot, args.images[slot], account.metadata.name, secrets, args);
      const deployment = new k8s.apps.v1.Deployment(
        ...transformed(
          transform?.deployment,
          `${name}-${slot}`,
          {
            metadata: {
              ...metadata(platform, slotPart, object),
              annotations: {
                // A rollout that drains the slot takes over its replicas; an `up` that changes the slot restores them.
                "pulumi.com/patchForce": "true",
                // The engine would wait ten minutes for a release that never starts, hold the stack's lock meanwhile, and
                // retry it with each later `up`. Rollouts and `exai up` wait for the slots themselves.
                "pulumi.com/skipAwait": "true",
              },
            },
            spec: {
              replicas: args.replicas,
              revisionHistoryLimit: 5,
              // The number of replicas never falls below the declared one: a new replica is ready before an old one stops.
              strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
              minReadySeconds: 2,
              progressDeadlineSeconds: 300,
              selector: { matchLabels: selectorLabels(platform, slotPart) },
              template: podTemplate(spec, platform),
            },
          },
          { parent: this },
        ),
      );
      new k8s.policy.v1.PodDisruptionBudget(
        ...transformed(
          transform?.disruptionBudget,
          `${name}-${slot}-budget`,
          {
            metadata: metadata(platform, slotPart, object),
            spec: {
              // With one replica, a budget of one would block every drain of the node.
              ...(args.replicas > 1 ? { minAvailable: args.replicas - 1 } : { maxUnavailable: 1 }),
              selector: { matchLabels: selectorLabels(platform, slotPart) },
              unhealthyPodEvictionPolicy: "AlwaysAllow",
            },
          },
          { parent: this },
        ),
      );
      return { service, deployment };
    };

    const slots = { blue: slot("blue"), green: slot("green") };
    this.services = { blue: slots.blue.service.metadata.name, green: slots.green.service.metadata.name };
    this.deployments = { blue: slots.blue.deployment, green: slots.green.deployment };
    this.registerOutputs({});
  }
}

/** Name of a slot's Deployment and Service: what routes and rollouts refer to. */
export function slotName(slot: Slot): string {
  return `server-${slot}`;
}

/** Pod of one slot; pure. */
export function slotPod(
  slot: Slot,
  image: pulumi.Input<string>,
  serviceAccount: pulumi.Input<string>,
  mounted: Pick<MountedSecret, "secretName" | "digest">,
  args: Pick<KubernetesServerArgs, "environment" | "secrets" | "memoryMegabytes" | "cpus">,
): PodSpec {
  const { environment } = args;
  return {
    component: "server",
    slot,
    uid: SERVER_UID,
    serviceAccount,
    spread: true,
    // The sleep before SIGTERM counts against the grace period, and the server needs its own in full.
    graceSeconds: environment.graceSeconds + PRE_STOP_SECONDS + 5,
    annotations: { [SECRETS_DIGEST]: mounted.digest },
    scratch: { "/tmp": "64Mi" },
    // 0440 and the pod's group: readable only by the server's process.
    volumes: [{ name: "secrets", secret: { secretName: mounted.secretName, defaultMode: 0o440 } }],
    containers: [
      {
        name: "server",
        image,
        environment: plainEnvironment(environment, secretFiles(args.secrets[slot]), slot),
        ports: { http: HTTP_PORT, websocket: environment.wsPort },
        mounts: [{ volume: "secrets", path: SECRETS_DIRECTORY }],
        resources: {
          cpuRequest: `${Math.round(args.cpus * 250)}m`,
          cpuLimit: `${Math.round(args.cpus * 1000)}m`,
          memoryRequest: `${args.memoryMegabytes}Mi`,
          memoryLimit: `${args.memoryMegabytes}Mi`,
        },
        // Up to two minutes for a start. Afterwards a server that answers 503 gets no traffic after 6 s. One that does not
        // answer may only be busy, and its replicas would be the next: it gets none after 15 s and is restarted after 60 s.
        startup: httpProbe(SERVER_PATHS.health, "http", { period: 2, failures: 60 }),
        readiness: httpProbe(SERVER_PATHS.ready, "http", { period: 2, failures: 3, timeout: 5 }),
        liveness: httpProbe(SERVER_PATHS.health, "http", { period: 10, failures: 6, timeout: 5 }),
        preStopSeconds: PRE_STOP_SECONDS,
      },
    ],
  };
}

function serverOpenings(args: KubernetesServerArgs): Parameters<typeof opening>[4] {
  const gateway = {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": args.gatewayNamespace } },
    podSelector: { matchLabels: { "app.kubernetes.io/component": "proxy", "app.kubernetes.io/name": "envoy" } },
  };
  return {
    ingress: [
      { from: [gateway], ports: tcp(HTTP_PORT, args.environment.wsPort) },
      { from: [peer(args.platform, { component: args.scraper ?? "prometheus" })], ports: tcp(HTTP_PORT) },
    ],
    // Supabase and the model providers have no fixed addresses.
    egress: [{ to: internet(), ports: tcp(...remotePorts(args)) }],
  };
}

/** Ports of Supabase and its database, and of the model providers by their addresses. */
function remotePorts({ environment: { kimiUrl, glmUrl }, secrets }: KubernetesServerArgs): number[] {
  const providers = [kimiUrl, glmUrl].map((address) => {
    const { port, protocol } = new URL(address);
    return port === "" ? (protocol === "http:" ? 80 : 443) : Number(port);
  });
  const database = secrets.blue.databaseUrl === undefined ? [] : DATABASE_PORTS;
  return [...new Set([443, ...database, ...providers])].sort((a, b) => a - b);
}

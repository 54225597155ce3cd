import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SLOTS } from "../../contract/slots.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { LABELS } from "../../contract/labels.ts";
import { capture } from "../../synth/capture.ts";
import { manifests, type Manifest } from "../../synth/manifests.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { Cluster } from "../../operations/rollout/kubernetes/cluster.ts";
import { gatewayOf } from "../support/kubernetes/stack.ts";
import { loadImage, provideImages } from "../support/kubernetes/images.ts";
import { certificate, DIGEST, SECRET, standIn, STAND_IN_ACCESS } from "../support/kubernetes/stand-ins.ts";
import { testerHeaders } from "../support/rollout/access.ts";
import { signToken } from "../support/token-users.ts";
import { KubernetesApi, type KubernetesObject } from "../support/kubernetes/api.ts";

/**
 * Staging's and prod's own manifests on a real cluster: `EXAI_TEST_KUBECONFIG` names its kubeconfig. The nodes must have
 * the reference server's image, get it by `EXAI_TEST_LOAD_IMAGE`, or pull `EXAI_TEST_SERVER_IMAGE`; and Envoy Gateway
 * >= 1.9 must run there.
 */
const kubeconfig = process.env.EXAI_TEST_KUBECONFIG ?? "";
const serverImage = process.env.EXAI_TEST_SERVER_IMAGE ?? LOCAL_IMAGES.referenceServer;
const gatewayNamespace = process.env.EXAI_TEST_GATEWAY_NAMESPACE ?? "envoy-gateway-system";

const ROOT = join(import.meta.dirname, "../..");
const ENVOY_GATEWAY = "gateway.envoyproxy.io/v1alpha1";
const GATEWAY_API = "gateway.networking.k8s.io/v1";

describe.skipIf(kubeconfig === "")("a cluster (EXAI_TEST_KUBECONFIG)", () => {
  let api: KubernetesApi;
  let tags: boolean;
  /** What the controller's own configuration has: a Gateway's EnvoyProxy takes the place of the whole of it. */
  let gatewayImage: string | undefined;
  const run = randomBytes(3).toString("hex");
  const clients = `exai-test-client-${run}`;
  const namespaces: string[] = [clients];
  /** Objects in namespaces that are not the test's own. */
  const strangers: KubernetesObject[] = [];

  beforeAll(async () => {
    api = new KubernetesApi(kubeconfig);
    if (!(await api.knows(ENVOY_GATEWAY, "EnvoyProxy")))
      throw new Error("Envoy Gateway's CRDs are not installed: see docs/deploy.md");
    ({ lua: tags, image: gatewayImage } = await gatewayOf(Cluster.open({ kubeconfig, namespace: clients })));
    if (process.env.EXAI_TEST_LOAD_IMAGE !== undefined) {
      await provideImages([serverImage]);
      loadImage(serverImage);
    }
    await api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: clients } });
  });

  afterAll(async () => {
    for (const { apiVersion, kind, metadata } of strangers)
      await api.delete(apiVersion, kind, metadata.namespace, metadata.name);
    for (const namespace of namespaces) await api.delete("v1", "Namespace", undefined, namespace);
  });

  /** Applies a stack in its own namespace; returns the API server's response for each object. */
  async function deploy(stack: "staging" | "prod"): Promise<{ namespace: string; host: string; warnings: string[] }> {
    const namespace = `exai-test-${stack}-${run}`;
    const host = `${stack}-${run}.exai.test`;
    namespaces.push(namespace);
    const overrides = {
      instance: namespace,
      hostname: host,
      productionUrl: `https://${host}`,
      image: `${serverImage}${DIGEST}`,
      gatewayNamespace,
      gatewayService: "ClusterIP",
      gatewayReplicas: "1",
      ...(gatewayImage === undefined ? {} : { gatewayImage }),
      mcpSessionTags: String(tags),
      // The node of a test cluster is small; nothing here measures speed.
      serverCpus: "0.4",
      serverMemory: "192",
    };
    const graph = await capture(stack, stackFileSource(ROOT, stack, { defers: true, overrides }));
    const warnings: string[] = [];
    for (const manifest of manifests(graph, { withSecrets: true, fill: standIn })) {
      const object = runnable(manifest);
      const { name, namespace: home } = object.metadata;
      if (home !== undefined && home !== namespace) strangers.push({ ...object, metadata: { name, namespace: home } });
      const answer = await api.apply(object);
      warnings.push(...answer.warnings.map((warning) => `${manifest.id}: ${warning}`));
    }
    await api.apply(certificate(namespace, host) as KubernetesObject);
    return { namespace, host, warnings };
  }

  async function slotsReady(namespace: string): Promise<Record<string, number>> {
    const ready: Record<string, number> = {};
    for (const slot of SLOTS)
      ready[slot] = await api.until(`server-${slot} in ${namespace}`, 180, async () => {
        const deployment = await api.get("apps/v1", "Deployment", namespace, `server-${slot}`);
        const wanted = deployment?.spec?.replicas;
        return deployment?.status?.readyReplicas === wanted && typeof wanted === "number" ? wanted : undefined;
      });
    return ready;
  }

  /** Runs one job of traffic.mjs in a pod against a namespace's gateway. */
  async function traffic<Result>(namespace: string, host: string, name: string, ...args: unknown[]): Promise<Result> {
    const labels = { "gateway.envoyproxy.io/owning-gateway-namespace": namespace };
    const address = await api.until(`the gateway's Service of ${namespace}`, 60, async () => {
      const services = await api.list("v1", "Service", gatewayNamespace, labels);
      return services[0]?.spec?.clusterIP as string | undefined;
    });
    const pod = `traffic-${randomBytes(4).toString("hex")}`;
    const script = readFileSync(join(import.meta.dirname, "traffic.mjs"), "utf8");
    await api.apply({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: pod, namespace: clients },
      spec: {
        restartPolicy: "Never",
        hostAliases: [{ ip: address, hostnames: [host] }],
        containers: [
          {
            name: "traffic",
            image: serverImage,
            imagePullPolicy: "IfNotPresent",
            command: ["node", "--no-warnings", "--input-type=module", "-e"],
            args: [
              script,
              `https://${host}`,
              `wss://${host}:8079/?token=${signToken(SECRET, 600).token}`,
              JSON.stringify({ name, args }),
            ],
            env: [{ name: "NODE_TLS_REJECT_UNAUTHORIZED", value: "0" }],
          },
        ],
      },
    });
    return JSON.parse((await api.logs(clients, pod, 120)).trim().split("\n").at(-1) ?? "") as Result;
  }

  /** Writes the weights as the rollout controller does: with its own field manager. */
  async function weigh(namespace: string, blue: number, green: number): Promise<void> {
    for (const name of ["server", "server-websocket"]) {
      const route = await api.get(GATEWAY_API, "HTTPRoute", namespace, name);
      const rules = (
        structuredClone(route?.spec?.rules) as { backendRefs: { name: string; weight: number }[] | undefined }[]
      ).flatMap(({ backendRefs, ...rule }) => (backendRefs === undefined ? [] : [{ ...rule, backendRefs }]));
      for (const backend of rules.flatMap((rule) => rule.backendRefs))
        backend.weight = backend.name === "server-blue" ? blue : green;
      await api.apply(
        { apiVersion: GATEWAY_API, kind: "HTTPRoute", metadata: { name, namespace }, spec: { rules } },
        "exai-rollout",
      );
    }
  }

  /** Asks until the gateway has taken up the weights; it does so within seconds. */
  async function settled(namespace: string, host: string, expected: (share: Share) => boolean): Promise<Share> {
    let last: Share | undefined;
    return api
      .until("the gateway to take up the weights", 60, async () => {
        const gateway = await api.get(GATEWAY_API, "Gateway", namespace, "exai");
        if (!programmed(gateway)) return undefined;
        last = await traffic<Share>(namespace, host, "share", 20, {});
        return expected(last) ? last : undefined;
      })
      .catch((error: unknown) => {
        throw new Error(`${String(error)}; last: ${JSON.stringify(last)}`);
      });
  }

  describe("staging", () => {
    let stack: Awaited<ReturnType<typeof deploy>>;
    beforeAll(async () => {
      stack = await deploy("staging");
    });

    test("is accepted without a warning of Pod Security, and both slots become ready", async () => {
      expect(stack.warnings).toEqual([]);
      expect(await slotsReady(stack.namespace)).toEqual({ blue: 2, green: 2 });
    });

    test("its namespace refuses a pod that is not hardened", async () => {
      const pod: KubernetesObject = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "soft", namespace: stack.namespace },
        spec: { containers: [{ name: "soft", image: serverImage }] },
      };
      await expect(api.apply(pod)).rejects.toThrow(/violates PodSecurity "restricted/);
    });

    test("its slots run without a token, without root and without a writable root", async () => {
      const pods = await api.list("v1", "Pod", stack.namespace, { [LABELS.component]: "server" });
      expect(pods).toHaveLength(4);
      for (const pod of pods) {
        const spec = pod.spec as { volumes: object[]; containers: { securityContext: object }[] };
        expect(JSON.stringify(spec.volumes)).not.toContain("serviceAccountToken");
        for (const container of spec.containers)
          expect(container.securityContext).toMatchObject({ readOnlyRootFilesystem: true, runAsNonRoot: true });
      }
    });

    test("its gateway serves blue alone at first, and a tester's token reaches green", async () => {
      await slotsReady(stack.namespace);
      await settled(stack.namespace, stack.host, (share) => share.blue === 20);
      const share = await traffic<Share>(
        stack.namespace,
        stack.host,
        "share",
        20,
        await testerHeaders("green", STAND_IN_ACCESS),
      );
      expect(share).toEqual({ blue: 0, green: 20, disagreed: 0, failed: 0 });
      const testers = {
        blue: await testerHeaders("blue", STAND_IN_ACCESS),
        green: await testerHeaders("green", STAND_IN_ACCESS),
      };
      for (const dashboard of [false, true])
        expect(await traffic(stack.namespace, stack.host, "webSockets", dashboard, testers)).toEqual({
          blue: "open",
          green: "open",
        });
    });

    test("its gateway shares traffic by the weights, and back", async () => {
      await weigh(stack.namespace, 50, 50);
      await settled(stack.namespace, stack.host, (share) => share.green > 0);
      const share = await traffic<Share>(stack.namespace, stack.host, "share", 500, {});
      expect(share.disagreed + share.failed).toBe(0);
      // Five standard deviations of 500 fair tosses are 56.
      expect(Math.abs(share.green - 250)).toBeLessThan(56);
    });

    test("MCP sessions and their event streams stay on the slot that opened them", async ({ skip }) => {
      if (!tags) skip("the controller has no extensionApis.enableLua");
      const sessions = await traffic<Record<string, number>>(stack.namespace, stack.host, "sessions", 40, 5);
      expect(sessions).toMatchObject({ strayed: 0, failed: 0 });
      expect(sessions.blue).toBeGreaterThan(0);
      expect(sessions.green).toBeGreaterThan(0);
      const streams = await traffic<Record<string, number>>(stack.namespace, stack.host, "streams", 40);
      expect(streams).toMatchObject({ strayed: 0, failed: 0 });
      expect(streams.blue).toBeGreaterThan(0);
      expect(streams.green).toBeGreaterThan(0);
      await weigh(stack.namespace, 100, 0);
      await settled(stack.namespace, stack.host, (share) => share.green === 0);
    });
  });

  describe("prod", () => {
    test("is accepted without a warning of Pod Security, and both slots become ready", async () => {
      const stack = await deploy("prod");
      expect(stack.warnings).toEqual([]);
      expect(await slotsReady(stack.namespace)).toEqual({ blue: 3, green: 3 });
      const share = await settled(stack.namespace, stack.host, ({ blue }) => blue === 20);
      expect(share).toEqual({ blue: 20, green: 0, disagreed: 0, failed: 0 });
    });
  });

  /** The object with the image that the nodes really have. */
  function runnable(manifest: Manifest): KubernetesObject {
    if (manifest.object === undefined) throw new Error(`${manifest.id} was not rendered`);
    return JSON.parse(
      JSON.stringify(manifest.object).replaceAll(`${serverImage}${DIGEST}`, serverImage),
    ) as KubernetesObject;
  }
});

/** Whether the gateway has an address and a running proxy. */
function programmed(gateway: KubernetesObject | undefined): boolean {
  const conditions = (gateway?.status?.conditions ?? []) as { type: string; status: string }[];
  return conditions.some(({ type, status }) => type === "Programmed" && status === "True");
}

interface Share {
  readonly blue: number;
  readonly green: number;
  readonly disagreed: number;
  readonly failed: number;
}

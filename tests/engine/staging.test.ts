import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COLOURS } from "../../contract/colours.ts";
import type { ExaiEvent } from "../../contract/events.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { Engine } from "../../operations/engine/engine.ts";
import { ensureImages } from "../../operations/images/ensure.ts";
import { KubernetesApi } from "../support/kubernetes.ts";

import { startSupabaseApi, type SupabaseApi } from "../support/supabase-api/server.ts";

/**
 * Staging by the real engine and the real providers: on the cluster of `EXAI_TEST_KUBECONFIG`, which gets its images by
 * `EXAI_TEST_LOAD_IMAGE`, a program that prints the reference by digest under which the nodes have an image of the local
 * Docker engine. Supabase's provider speaks to a local server.
 */
const kubeconfig = process.env.EXAI_TEST_KUBECONFIG ?? "";
const loadImage = process.env.EXAI_TEST_LOAD_IMAGE ?? "";
/**
 * A Prometheus by digest that the nodes have or can pull. Debian's, which stands in on machines without a registry, is
 * built without the discovery of a cluster's targets and never becomes ready there.
 */
const prometheusImage = process.env.EXAI_TEST_PROMETHEUS_IMAGE ?? "";
const ROOT = join(import.meta.dirname, "../..");
const GATEWAY_API = "gateway.networking.k8s.io/v1";
const PARENT = "abcdefghijklmnopqrst";

function hasEngine(): boolean {
  try {
    execFileSync("pulumi", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
const possible = kubeconfig !== "" && loadImage !== "" && prometheusImage !== "" && hasEngine();

describe.skipIf(!possible)(
  "staging by the engine (EXAI_TEST_KUBECONFIG, _LOAD_IMAGE, _PROMETHEUS_IMAGE; pulumi)",
  { timeout: 600_000 },
  () => {
    const namespace = `exai-engine-${randomBytes(3).toString("hex")}`;
    const folder = mkdtempSync(join(tmpdir(), "exai-engine-"));
    let api: KubernetesApi;
    let supabase: SupabaseApi;
    let settings: Record<string, string>;

    beforeAll(async () => {
      api = new KubernetesApi(kubeconfig);
      supabase = await startSupabaseApi();
      supabase.world.addProject({ ref: PARENT, name: "exai", organization: "acme", region: "eu-central-1" });
      const names = {
        image: LOCAL_IMAGES.referenceServer,
        alertmanagerImage: LOCAL_IMAGES.alertmanager,
        postgresExporterImage: LOCAL_IMAGES.postgresExporter,
      };
      const missing = await finish(ensureImages(Object.values(names)));
      expect(missing.missing).toEqual([]);
      const images = Object.fromEntries(Object.entries(names).map(([key, name]) => [key, load(name)]));
      const controller = await api.get("v1", "ConfigMap", "envoy-gateway-system", "envoy-gateway-config");
      const configuration = JSON.stringify(controller?.data);
      const proxy = /image: (\S+?envoy:[\w.-]+)/.exec(configuration)?.[1];
      settings = {
        ...images,
        prometheusImage,
        instance: namespace,
        hostname: `${namespace}.exai.test`,
        productionUrl: `https://${namespace}.exai.test`,
        kubeconfig,
        kubeContext: api.context,
        supabaseEndpoint: supabase.url,
        supabaseProjectRef: PARENT,
        supabaseAccessToken: `sbp_${"0".repeat(40)}`,
        kimiApiKey: "kimi-key-of-the-test",
        glmApiKey: "glm-key-of-the-test",
        gatewayService: "ClusterIP",
        mcpSessionTags: String(/enableLua:\s*true/.test(configuration)),
        ...(proxy === undefined ? {} : { gatewayImage: proxy }),
        serverCpus: "0.4",
        serverMemory: "192",
        // Test clusters have no volumes to claim, and no place for Grafana's image.
        metricsStorage: "ephemeral",
        backupRepository: "rest:https://backups.example.com/exai",
        backupImage: images.image ?? "",
        grafana: "false",
      };
    });

    afterAll(async () => {
      await api.delete("v1", "Namespace", undefined, namespace);
      await supabase.close();
      rmSync(folder, { recursive: true });
    });

    /** The stack under some settings, in a backend of the test's own. */
    const open = (more: Record<string, string> = {}): Promise<Engine> =>
      Engine.open({
        root: ROOT,
        stack: "staging",
        folder: join(folder, "stack"),
        overrides: { ...settings, ...more },
        ownBackend: join(folder, "backend"),
      });
    const branch = () => [...supabase.world.branches.values()].find(({ gitBranch }) => gitBranch === "staging");

    test("a preview touches neither the cluster nor Supabase", async () => {
      const { stream } = await finish((await open()).preview());
      expect(stream.changed).toBeGreaterThan(50);
      expect(await api.get("v1", "Namespace", undefined, namespace)).toBeUndefined();
      expect(supabase.requests.filter(({ method }) => method !== "GET")).toEqual([]);
    });

    test("a violation of the pack stops what it concerns before it is made", async () => {
      const image = `registry.example.com/exai@sha256:${"0".repeat(64)}`;
      const engine = await open({ image });
      await expect(finish(engine.preview())).rejects.toThrow(/image-registries on server-blue/);
      await expect(finish(engine.up())).rejects.toThrow(/image-registries on server-(blue|green)/);
      expect(await api.get("apps/v1", "Deployment", namespace, "server-blue")).toBeUndefined();
    });

    test("up makes the branch, its settings and functions, and both slots ready", async () => {
      await finish((await open()).up());
      for (const colour of COLOURS) {
        const deployment = await api.get("apps/v1", "Deployment", namespace, `server-${colour}`);
        expect(deployment?.status?.readyReplicas, colour).toBe(2);
      }
      const project = branch()?.project;
      expect(project?.auth.site_url).toBe(settings.productionUrl);
      expect([...(project?.functions.keys() ?? [])]).toEqual(["verify-jwt"]);
      expect([...(project?.secrets.keys() ?? [])]).toContain("EXAI_JWT_TOKEN");
      // The parent is the production project: staging leaves it alone.
      expect(supabase.world.projects.get(PARENT)?.auth.site_url).toBe("http://localhost:3000");
    });

    test("the server has the branch's address and keys", async () => {
      const secret = await api.get("v1", "Secret", namespace, "server-blue-secrets");
      const key = Buffer.from((secret?.data as Record<string, string>)["supabase-anon-key"] ?? "", "base64").toString();
      expect(key).toMatch(/^anon\./);
      const outputs = await (await open()).outputs();
      expect(outputs.supabaseUrl?.value).toBe(`https://${branch()?.project.ref ?? ""}.supabase.co`);
    });

    test("up again changes nothing", async () => {
      const { stream } = await finish((await open()).up());
      expect(stream.changed).toBe(0);
    });

    test("up in the middle of a rollout, even one that changes the route, leaves its weights", async () => {
      const route = await api.get(GATEWAY_API, "HTTPRoute", namespace, "server");
      const rules = structuredClone(route?.spec?.rules) as { backendRefs: { weight: number }[] }[];
      const [blue, green] = rules[0]?.backendRefs ?? [];
      if (blue === undefined || green === undefined) throw new Error("the shared route does not name both slots");
      [blue.weight, green.weight] = [75, 25];
      const weighed = { apiVersion: GATEWAY_API, kind: "HTTPRoute", metadata: { name: "server", namespace } };
      await api.apply({ ...weighed, spec: { rules } }, "exai-rollout");

      const hostname = `other-${namespace}.exai.test`;
      const { stream } = await finish((await open({ hostname })).up());
      expect(stream.changed).toBeGreaterThan(0);
      const after = await api.get(GATEWAY_API, "HTTPRoute", namespace, "server");
      expect(after?.spec?.hostnames).toEqual([hostname]);
      expect(after?.spec?.rules).toEqual(rules);
    });

    test("destroy leaves nothing", async () => {
      await finish((await open()).destroy());
      expect(branch()).toBeUndefined();
      await api.until("the namespace to go", 60, async () =>
        (await api.get("v1", "Namespace", undefined, namespace)) === undefined ? true : undefined,
      );
    });
  },
);

/** Gives an image to the cluster's nodes; the answer is its reference by digest. */
function load(image: string): string {
  const printed = execFileSync(loadImage, [image], { encoding: "utf8" }).trim().split("\n").at(-1) ?? "";
  expect(printed, `what ${loadImage} printed`).toMatch(/@sha256:[0-9a-f]{64}$/);
  return printed;
}

/** Runs a generator of events to its end. */
async function finish<Result>(events: AsyncGenerator<ExaiEvent, Result>): Promise<Result> {
  let step = await events.next();
  while (step.done !== true) step = await events.next();
  return step.value;
}

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SLOTS } from "../../contract/slots.ts";
import { GATEWAY_API } from "../../contract/gateway.ts";
import { PARENT, prepareEngineStack, type EngineStack } from "../support/kubernetes/engine-stack.ts";
import { databaseTests } from "./cluster/database.ts";
import { engineKeepingTest, keepingTests } from "./cluster/keeping.ts";
import { rotationTests } from "./cluster/rotation.ts";
import { rolloutTests } from "./cluster/rollout.ts";
import { clusterForEngine } from "./support.ts";

/** Staging as it is typed: by the real engine and the real providers. Supabase's provider speaks to a local server. */
const kubeconfig = clusterForEngine();

describe.skipIf(kubeconfig === undefined)(
  "staging by the engine (EXAI_TEST_KUBECONFIG, EXAI_TEST_LOAD_IMAGE; pulumi)",
  { timeout: 600_000 },
  () => {
    let staging: EngineStack;

    beforeAll(async () => {
      staging = await prepareEngineStack(kubeconfig ?? "", "staging");
      await staging.init();
    }, 1_800_000);

    afterAll(async () => {
      await staging.down();
    });

    const exai = (...words: string[]) => staging.checkout.events(words);
    const branch = () => [...staging.supabase.world.branches.values()].find(({ gitBranch }) => gitBranch === "staging");
    const object = (apiVersion: string, kind: string, name: string) =>
      staging.api.get(apiVersion, kind, staging.namespace, name);
    const namespace = () => staging.api.get("v1", "Namespace", undefined, staging.namespace);

    test("a preview touches neither the cluster nor Supabase", async () => {
      const data = (await exai("preview", "staging")).at(-1)?.data as { counts: { create: number } };
      expect(data.counts.create).toBeGreaterThan(50);
      expect(await namespace()).toBeUndefined();
      expect(staging.supabase.requests.filter(({ method }) => method !== "GET")).toEqual([]);
    });

    test("a violation of the pack stops it before anything is made", async () => {
      const image = `registry.example.com/exai@sha256:${"0".repeat(64)}`;
      const ran = await staging.checkout.exai(["up", "staging", "--yes", "--set", `image=${image}`]);
      expect(ran.code).toBe(1);
      expect(ran.stdout + ran.stderr).toMatch(/image-registries on server-(blue|green)/);
      expect(await namespace()).toBeUndefined();
    });

    test("up makes the branch, its settings and functions, and both slots ready", async () => {
      await exai("up", "staging", "--yes");
      for (const slot of SLOTS) {
        const deployment = await object("apps/v1", "Deployment", `server-${slot}`);
        expect(deployment?.status?.readyReplicas, slot).toBe(2);
      }
      const project = branch()?.project;
      expect(project?.auth.site_url).toBe(`https://${staging.hostname}`);
      expect([...(project?.functions.keys() ?? [])]).toEqual(["verify-jwt"]);
      expect([...(project?.secrets.keys() ?? [])]).toContain("EXAI_JWT_TOKEN");
      // The parent is the production project: staging leaves it alone.
      expect(staging.supabase.world.projects.get(PARENT)?.auth.site_url).toBe("http://localhost:3000");
      const secret = await object("v1", "Secret", "server-blue-secrets");
      const key = Buffer.from((secret?.data as Record<string, string>)["supabase-anon-key"] ?? "", "base64").toString();
      expect(key).toMatch(/^anon\./);
      await staging.certify();
    });

    test("up again changes nothing", async () => {
      expect((await exai("up", "staging", "--yes")).at(-1)?.data).toMatchObject({ changes: 0 });
    });

    test("up makes again what was deleted by hand, and nothing else", async () => {
      const pods = await staging.pods("blue");
      await staging.api.delete("apps/v1", "Deployment", staging.namespace, "server-green");
      await staging.api.delete("v1", "ConfigMap", staging.namespace, "prometheus");
      const events = await exai("up", "staging", "--yes");
      expect(JSON.stringify(events)).toContain("made again: monitoring-prometheus-config, server-green");
      expect(events.at(-1)?.data).toMatchObject({ changes: 2 });
      expect((await object("apps/v1", "Deployment", "server-green"))?.status?.readyReplicas).toBe(2);
      expect(await staging.pods("blue")).toEqual(pods);
    });

    test("a context that the kubeconfig does not have is refused before anything is asked or made", async () => {
      for (const verb of [["preview"], ["up", "--yes"], ["down", "--yes"]]) {
        const [name = "", ...flags] = verb;
        const ran = await staging.checkout.exai([name, "staging", ...flags, "--set", "kubeContext=nowhere"]);
        expect([name, ran.code, ran.stdout]).toEqual([name, 2, expect.stringContaining("has no such context")]);
      }
    });

    test("status shows what runs, and logs the lines of a slot", async () => {
      const { services, unhealthy } = (await exai("status", "--stack", "staging")).at(-1)?.data as {
        services: { service: string; state: string; image?: string }[];
        unhealthy: string[];
      };
      expect(unhealthy).toEqual([]);
      expect(services).toContainEqual(
        expect.objectContaining({ service: "server-blue", state: "healthy", image: staging.images.first }),
      );
      expect(services).toContainEqual(expect.objectContaining({ service: "backup-daily", state: "scheduled" }));
      const lines = await exai("logs", "server-blue", "--stack", "staging", "--tail", "2");
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines)
        expect(line).toMatchObject({ type: "log", service: expect.stringMatching(/^server-blue /) as string });
    });

    rolloutTests(() => staging);
    databaseTests(() => staging);
    rotationTests(() => staging);

    test("up that changes the route leaves the weights that a rollout has put there", async () => {
      const rules = (await object(GATEWAY_API, "HTTPRoute", "server"))?.spec?.rules;
      expect(JSON.stringify(rules)).toContain("generation-");
      const hostname = `other-${staging.hostname}`;
      await exai("up", "staging", "--yes", "--set", `hostname=${hostname}`);
      const after = await object(GATEWAY_API, "HTTPRoute", "server");
      expect(after?.spec).toMatchObject({ hostnames: [hostname], rules });
    });

    keepingTests(
      () => staging,
      () => branch()?.project.ref,
      ["backups-repository", "database-branch", "generated-backups"],
    );
    engineKeepingTest(
      () => staging,
      () => branch()?.project.ref,
    );

    test("down with its volumes leaves nothing", async () => {
      const data = (await exai("down", "staging", "--volumes", "--yes")).at(-1)?.data;
      expect(data).toMatchObject({ data: "removed", kept: [] });
      expect(branch()).toBeUndefined();
      await staging.api.until("the namespace to go", 60, async () =>
        (await namespace()) === undefined ? true : undefined,
      );
    });
  },
);

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SLOTS } from "../../contract/slots.ts";
import { GATEWAY_API } from "../../contract/gateway.ts";
import { PARENT, prepareStaging, type StagingStack } from "../support/kubernetes/staging.ts";
import { rotationTests } from "./staging/rotation.ts";
import { rolloutTests } from "./staging/rollout.ts";
import { engineMissing } from "./support.ts";

/**
 * Staging as it is typed: by the real engine and the real providers, on the cluster of `EXAI_TEST_KUBECONFIG`, which gets
 * its images by `EXAI_TEST_LOAD_IMAGE`, a program that prints the reference by digest under which the nodes have an image
 * of the local Docker daemon. Supabase's provider speaks to a local server.
 */
const kubeconfig = process.env.EXAI_TEST_KUBECONFIG ?? "";
const possible = kubeconfig !== "" && (process.env.EXAI_TEST_LOAD_IMAGE ?? "") !== "" && !engineMissing();

describe.skipIf(!possible)(
  "staging by the engine (EXAI_TEST_KUBECONFIG, EXAI_TEST_LOAD_IMAGE; pulumi)",
  { timeout: 600_000 },
  () => {
    let staging: StagingStack;

    beforeAll(async () => {
      staging = await prepareStaging(kubeconfig);
      await staging.checkout.init("staging");
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

    rolloutTests(() => staging);
    rotationTests(() => staging);

    test("up that changes the route leaves the weights that a rollout has put there", async () => {
      const rules = (await object(GATEWAY_API, "HTTPRoute", "server"))?.spec?.rules;
      expect(JSON.stringify(rules)).toContain("generation-");
      const hostname = `other-${staging.hostname}`;
      await exai("up", "staging", "--yes", "--set", `hostname=${hostname}`);
      const after = await object(GATEWAY_API, "HTTPRoute", "server");
      expect(after?.spec).toMatchObject({ hostnames: [hostname], rules });
    });

    test("down leaves nothing", async () => {
      await exai("down", "staging", "--volumes", "--yes");
      expect(branch()).toBeUndefined();
      await staging.api.until("the namespace to go", 60, async () =>
        (await namespace()) === undefined ? true : undefined,
      );
    });
  },
);

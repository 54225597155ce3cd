import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SLOTS } from "../../contract/slots.ts";
import { prepareEngineStack, type EngineStack } from "../support/kubernetes/engine-stack.ts";
import { databaseTests } from "./cluster/database.ts";
import { keepingTests } from "./cluster/keeping.ts";
import { clusterForEngine } from "./support.ts";

/** Prod by the real engine, where it differs from staging: its project is its own. */
const kubeconfig = clusterForEngine();

describe.skipIf(kubeconfig === undefined)(
  "prod by the engine (EXAI_TEST_KUBECONFIG, EXAI_TEST_LOAD_IMAGE; pulumi)",
  { timeout: 600_000 },
  () => {
    let prod: EngineStack;
    const projects = () => [...prod.supabase.world.projects.values()].filter(({ name }) => name === prod.namespace);

    beforeAll(async () => {
      prod = await prepareEngineStack(kubeconfig ?? "", "prod");
      await prod.init();
    }, 1_800_000);

    afterAll(async () => {
      await prod.down();
    });

    test("up makes the project and both slots, and a second up changes nothing", async () => {
      await prod.checkout.events(["up", "prod", "--yes"]);
      for (const slot of SLOTS) {
        const deployment = await prod.api.get("apps/v1", "Deployment", prod.namespace, `server-${slot}`);
        expect(deployment?.status?.readyReplicas, slot).toBe(2);
      }
      expect(projects()).toMatchObject([{ organization: "acme" }]);
      expect((await prod.checkout.events(["up", "prod", "--yes"])).at(-1)?.data).toMatchObject({ changes: 0 });
    });

    test("its database gets the schema, with the password of the project that was made", async () => {
      await prod.checkout.events(["migrate", "apply", "prod"], { env: { EXAI_DATABASE_URL: prod.database.url } });
      expect(new URL(prod.database.url).password).toBe(projects()[0]?.password);
    });

    databaseTests(() => prod);
    keepingTests(
      () => prod,
      () => projects()[0]?.ref,
      ["backups-repository", "database-project", "generated-backups"],
    );
  },
);

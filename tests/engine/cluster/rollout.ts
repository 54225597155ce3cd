import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeAll, describe, expect, test } from "vitest";
import { GATEWAY_API, ROUTING_NAMES } from "../../../contract/gateway.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { migrationStatus } from "../../../operations/migrations/apply.ts";
import { migrationFiles } from "../../../contract/sql/files.ts";
import { KubernetesUsers } from "../../support/kubernetes/users.ts";
import type { PrintedEvent } from "../../support/local-instance.ts";
import type { EngineStack } from "../../support/kubernetes/engine-stack.ts";

const FIRST = migrationFiles(PROJECT_ROOT).at(-1)?.version ?? "";
const EXPAND = "20991101090000";
const CONTRACT = "20991101090100";

/** Kinds whose objects change by their own controllers; of the others every write counts. */
const LIVELY = ["Gateway", "HTTPRoute", "PodDisruptionBudget"];
const KINDS = [
  ...["Deployment", "StatefulSet"].map((kind) => ["apps/v1", kind]),
  ...["Service", "ConfigMap", "Secret", "ServiceAccount"].map((kind) => ["v1", kind]),
  ...["Gateway", "HTTPRoute"].map((kind) => [GATEWAY_API, kind]),
  ...[
    ["batch/v1", "CronJob"],
    ["networking.k8s.io/v1", "NetworkPolicy"],
    ["policy/v1", "PodDisruptionBudget"],
    ["rbac.authorization.k8s.io/v1", "RoleBinding"],
  ],
] as const;

/** Cutovers and rollbacks whose images the engine puts into the slots, and the schema that they are coupled to. */
export function rolloutTests(staging: () => EngineStack): void {
  describe("rollouts", () => {
    const env = () => ({ EXAI_DATABASE_URL: staging().database.url });

    beforeAll(async () => {
      const { checkout } = staging();
      await checkout.events(["migrate", "apply", "staging"], { env: env() });
      const migration = (name: string, sql: string) =>
        writeFile(join(checkout.root, "supabase/migrations", name), `set lock_timeout = '5s';\n${sql}\n`);
      await migration(`${EXPAND}_title.sql`, "alter table public.files add column title text;");
      await migration(`${CONTRACT}_contract_media_type.sql`, "alter table public.files drop column media_type;");
      // The labels of an image are its registry's, and there is none.
      checkout.configure("staging", { blueSchema: `${FIRST}..${FIRST}`, greenSchema: `${EXPAND}..${CONTRACT}` });
    });

    const exai = (words: readonly string[], code = 0) => staging().checkout.events(words, { env: env(), code });
    const applied = async () =>
      (await migrationStatus(staging().database.url, { root: staging().checkout.root }))
        .filter((each) => each.applied)
        .at(-1)?.version;

    /** Every object of the namespace, and what changes with each write to it. */
    async function objects(): Promise<ReadonlyMap<string, string>> {
      const { api, namespace } = staging();
      const listed = await Promise.all(
        KINDS.map(async ([apiVersion, kind]) => {
          const found = await api.list(apiVersion, kind, namespace, {});
          return found.map(({ metadata }): [string, string] => {
            const version = LIVELY.includes(kind) ? metadata.generation : metadata.resourceVersion;
            return [`${kind} ${metadata.name}`, `${String(metadata.uid)} ${String(version)}`];
          });
        }),
      );
      return new Map(listed.flat());
    }

    /** Pods that stand, by name, with their restarts; those of a slot and of backups left out. */
    async function othersPods(slot: string): Promise<readonly string[]> {
      const { api, namespace } = staging();
      const pods = await api.list("v1", "Pod", namespace, {});
      return pods
        .filter(({ metadata }) => !metadata.name.startsWith(`server-${slot}`) && !metadata.name.startsWith("backup"))
        .map(({ metadata, status }) => `${metadata.name} ${JSON.stringify(restartsOf(status))}`)
        .sort();
    }

    const weights = () => staging().weights();

    /** Runs something while users ask; none of them may fail. @returns the slot that served the last of them */
    async function underLoad(work: () => Promise<unknown>): Promise<string | undefined> {
      const users = new KubernetesUsers({ address: await staging().address(), hostname: staging().hostname }, 20);
      try {
        await work();
      } finally {
        await users.stop();
      }
      expect(users.failed).toEqual([]);
      expect(users.requests.length).toBeGreaterThan(50);
      return users.requests.at(-1)?.servedBy;
    }

    test("a cutover expands the schema, then changes the idle slot's Deployment and the weights, and nothing else", async () => {
      const { checkout, images } = staging();
      const file = checkout.settings("staging");
      const [before, pods] = [await objects(), await othersPods("green")];
      const words = ["cutover", "--stack", "staging", "--image", images.second];
      const served = await underLoad(async () => {
        const events = await exai([...words, "--steps", "50,100", "--hold", "1s", "--bake", "1s"]);
        const migrated = events.find(({ id, status }) => id === "migrate" && status === "done");
        expect(migrated).toMatchObject({ detail: `${EXPAND}_title applied` });
      });
      expect(served).toBe("green");
      expect(await applied()).toBe(EXPAND);
      const after = await objects();
      const changed = [...after].filter(([name, version]) => before.get(name) !== version).map(([name]) => name);
      const own = changed.filter((name) => !/exai-(rollout|audit)/.test(name));
      expect(own.sort()).toEqual([
        "Deployment server-green",
        `HTTPRoute ${ROUTING_NAMES.shared.http}`,
        `HTTPRoute ${ROUTING_NAMES.shared.websocket}`,
      ]);
      expect([...before.keys()].filter((name) => !after.has(name))).toEqual([]);
      expect(await othersPods("green")).toEqual(pods);
      expect(checkout.settings("staging")).toEqual(file);
    });

    test("up keeps the same slots afterwards, although the stack file names only the first release", async () => {
      const pods = [await staging().pods("blue"), await staging().pods("green")];
      expect((await exai(["up", "staging", "--yes"])).at(-1)?.data).toMatchObject({ changes: 0 });
      expect([await staging().pods("blue"), await staging().pods("green")]).toEqual(pods);
      expect(await weights()).toEqual([0, 100]);
    });

    test("a raw pulumi up would change nothing either", async () => {
      const ran = await staging().checkout.pulumi(["preview", "--stack", "staging", "--expect-no-changes"]);
      expect(ran.code, `${ran.stdout}\n${ran.stderr}`).toBe(0);
    });

    test("a contract migration is refused while the standby is warm, and applied when it is finished", async () => {
      const refused = await staging().checkout.exai(["migrate", "apply", "staging"], env());
      expect(refused.code).toBe(3);
      expect(refused.stdout + refused.stderr).toMatch(/in blue is warm .*rollout finish/s);
      expect(await applied()).toBe(EXPAND);
      await exai(["rollout", "finish", "--stack", "staging", "--drain", "0s"]);
      expect(await staging().pods("blue")).toEqual([]);
      await exai(["migrate", "apply", "staging"]);
      expect(await applied()).toBe(CONTRACT);
    });

    test("a rollback past the schema is refused; insisted on, the engine deploys the old release first", async () => {
      const { checkout, images, api, namespace } = staging();
      const refused = await checkout.exai(["rollback", "--stack", "staging"], env());
      expect(refused.code).toBe(3);
      expect(refused.stdout + refused.stderr).toContain("has moved past");
      expect(await weights()).toEqual([0, 100]);
      const served = await underLoad(async () => {
        const events = await exai(["rollback", "--stack", "staging", "--accept-schema"]);
        const messages = events.map((event) => (event as { message?: string }).message ?? "").join("\n");
        expect(messages).toContain(`blue is not warm: ${images.first} is deployed there again`);
      });
      expect(served).toBe("blue");
      expect(await weights()).toEqual([100, 0]);
      const blue = await api.get("apps/v1", "Deployment", namespace, "server-blue");
      expect(JSON.stringify(blue?.spec)).toContain(images.first);
      expect(blue?.status?.readyReplicas).toBe(2);
    });

    test("a release whose image is not available is rolled back at once, and leaves nothing for the next up to change", async () => {
      const nowhere = `docker.io/exai/reference-server@sha256:${"0".repeat(64)}`;
      const before = await staging().pods("blue");
      const events = await exai(["cutover", "--stack", "staging", "--image", nowhere], 1);
      const { data } = events.at(-1) ?? {};
      expect(data).toMatchObject({ outcome: "rolled-back", automatic: true, active: "blue" });
      expect(JSON.stringify(data?.failure)).toMatch(/ErrImagePull|ImagePullBackOff/);
      expect((await exai(["up", "staging", "--yes"])).at(-1)?.data).toMatchObject({ changes: 0 });
      expect(await staging().pods("blue")).toEqual(before);
      expect(await weights()).toEqual([100, 0]);
    });

    test("up in mid-cutover changes no weight; the rollout continues, and rolls back when its pods were replaced", async () => {
      const { checkout, images } = staging();
      const words = ["cutover", "--stack", "staging", "--image", images.second, "--steps", "50,100"];
      const controller = checkout.start([...words, "--hold", "10m", "--bake", "10m"]);
      const steps: string[] = [];
      let last = "";
      createInterface({ input: controller.stdout }).on("line", (line) => {
        const { id = "", status = "" } = JSON.parse(line) as Record<string, string>;
        steps.push(`${id} ${status}`);
        last = line;
      });
      const ended = once(controller, "close");
      const begun = (step: string) =>
        staging().api.until(step, 120, () => {
          if (controller.exitCode !== null) throw new Error(`the cutover ended before ${step}: ${last}`);
          return Promise.resolve(steps.includes(`${step} started`) ? true : undefined);
        });
      try {
        await begun("shift-50");
        const pods = await staging().pods("green");
        const unlike = { backupTimeZone: "Asia/Tokyo" };
        checkout.configure("staging", unlike);
        const served = await underLoad(async () => {
          expect((await exai(["up", "staging", "--yes"])).at(-1)?.data?.changes).toBeGreaterThan(0);
          expect(await weights()).toEqual([50, 50]);
          expect(await staging().pods("green")).toEqual(pods);
          await exai(["rollout", "promote", "--stack", "staging"]);
          await begun("bake");
          expect(await weights()).toEqual([0, 100]);
          // Another environment of the server: other pods in both slots.
          checkout.configure("staging", { logLevel: "warning" });
          await exai(["up", "staging", "--yes"]);
          await ended;
        });
        expect(controller.exitCode).toBe(1);
        const { data } = JSON.parse(last) as PrintedEvent;
        expect(data).toMatchObject({ outcome: "rolled-back", automatic: true, candidate: "green" });
        expect(JSON.stringify(data?.failure)).toContain('"why":"replaced"');
        expect(served).toBe("blue");
        expect(await weights()).toEqual([100, 0]);
      } finally {
        controller.kill("SIGKILL");
      }
    });
  });
}

function restartsOf(status: Record<string, unknown> | undefined): readonly number[] {
  const containers = (status?.containerStatuses ?? []) as { restartCount: number }[];
  return containers.map(({ restartCount }) => restartCount);
}

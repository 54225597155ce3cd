import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { backupHistory } from "../../operations/backups/history.ts";
import { drillDumps, dumpNow, listDumps, verifyDumps } from "../../operations/dumps/commands.ts";
import type { DumpPlace } from "../../operations/dumps/job.ts";
import { dropDumpScratch, listDumpScratch, restoreDump } from "../../operations/dumps/scratch.ts";
import { applyMigrations } from "../../operations/migrations/apply.ts";
import { Cluster } from "../../operations/rollout/kubernetes/cluster.ts";
import type { ApiObject } from "../../operations/rollout/kubernetes/api-types.ts";
import { capture } from "../../synth/capture.ts";
import { manifests } from "../../synth/manifests.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { KubernetesApi } from "../support/kubernetes/api.ts";
import { provideImages } from "../support/kubernetes/images.ts";
import { load, PARENT, provideVolume } from "../support/kubernetes/engine-stack.ts";
import { standIn } from "../support/kubernetes/stand-ins.ts";
import { startPostgresStack, type PostgresStack } from "../support/postgres-stack.ts";
import { startPooler, type Pooler } from "../support/supabase-api/pooler.ts";
import { runOperation } from "../support/verbs.ts";

/** Staging's own CronJobs, volume, secrets and network policies, without its servers; the database is behind a pooler. */
const kubeconfig = process.env.EXAI_TEST_KUBECONFIG ?? "";
const possible = kubeconfig !== "" && (process.env.EXAI_TEST_LOAD_IMAGE ?? "") !== "";
const PARTS = /^Namespace\/|\/(backup[\w-]*|restore-drill|default-deny|allow-dns)$/;
const ROOT = join(import.meta.dirname, "../..");

describe.skipIf(!possible)(
  "dumps on a cluster (EXAI_TEST_KUBECONFIG, EXAI_TEST_LOAD_IMAGE)",
  { timeout: 300_000 },
  () => {
    const namespace = `exai-dumps-${randomBytes(3).toString("hex")}`;
    let database: PostgresStack;
    let pooler: Pooler;
    let volume: Awaited<ReturnType<typeof provideVolume>>;
    let place: DumpPlace;

    beforeAll(async () => {
      database = await startPostgresStack();
      const migrating = applyMigrations(database.url);
      while ((await migrating.next()).done !== true);
      await database.sql("insert into auth.users (id) select gen_random_uuid() from generate_series(1, 200)");
      await database.sql("insert into public.conversations (user_id, title) select id, id::text from auth.users");
      pooler = await startPooler(database.port);
      volume = await provideVolume(new KubernetesApi(kubeconfig), namespace);
      const cluster = Cluster.open({ kubeconfig, namespace });
      place = { stack: "staging", instance: namespace, cluster };
      await provideImages([LOCAL_IMAGES.postgres]);
      const overrides = {
        instance: namespace,
        kubeconfig,
        kubeContext: cluster.context,
        backupImage: load(LOCAL_IMAGES.postgres),
      };
      const graph = await capture("staging", stackFileSource(ROOT, "staging", { defers: true, overrides }));
      const url = `postgres://postgres.${PARENT}:${database.password}@${pooler.host}:5432/postgres?sslmode=require`;
      const fill = (resource: unknown, path: string) => (path.includes("database-url") ? url : standIn(resource, path));
      for (const { id, object } of manifests(graph, { withSecrets: true, fill }))
        if (PARTS.test(id)) await cluster.apply(object as ApiObject, "exai-test");
    }, 600_000);

    afterAll(async () => {
      await place.cluster.remove({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
      await volume.remove();
      await pooler.close();
      await database.down();
    });

    const jobs = () => place.cluster.list("batch/v1", "Job", {});

    test("one is made now, and listed with its history", async () => {
      const { result: made } = await runOperation(dumpNow(place, "full"));
      expect(made).toMatchObject({ outcome: "completed", backup: { verification: "passed" } });
      const { label } = made.backup;
      const { result: listed } = await runOperation(listDumps(place));
      expect(listed.backups).toEqual([
        expect.objectContaining({ label, schedule: "daily", trigger: "manual", status: "completed", stored: true }),
      ]);
      expect(await jobs()).toEqual([]);
    });

    test("it is restored into a scratch server, from which a table is copied back", async () => {
      await database.sql("delete from public.conversations");
      const request = {
        target: { kind: "latest" },
        name: "files",
        tables: ["public.conversations"],
      } as const;
      const { result: data } = await runOperation(restoreDump(place, request));
      const proof = ["load", "row-counts", "amcheck", "foreign-keys", "sequences", "dump"];
      expect(data.checks).toMatchObject(proof.map((name) => ({ name, status: "passed" })));
      expect(data.tables).toMatchObject([{ table: "public.conversations", rows: 200 }]);
      expect(await database.sql(`select count(*) from ${data.tables[0]?.as ?? ""}`)).toBe("200\n");
      expect(await listDumpScratch(place)).toMatchObject([
        { name: "files", container: "restored-files", running: true },
      ]);
      await expect(runOperation(restoreDump(place, request))).rejects.toMatchObject({ code: "state-conflict" });
      await dropDumpScratch(place, "files");
      expect(await listDumpScratch(place)).toEqual([]);
    });

    test("a drill restores it for real, and is recorded", async () => {
      const { result: drill } = await runOperation(drillDumps(place));
      expect(drill).toMatchObject({ outcome: "passed", error: null, recorded: true });
      expect(drill.rpoSeconds).toBeGreaterThan(0);
      const status = await database.sql("select schedule, last_rto_seconds > 0, failures_total from exai.drill_status");
      expect(status).toBe("monthly-drill|t|0\n");
    });

    test("a verification finds it sound, and then the damage", async () => {
      const { result: sound } = await runOperation(verifyDumps(place));
      expect(sound).toMatchObject({ outcome: "sound", findings: [], recorded: true });
      const packs = join(volume.folder ?? "", "data");
      const [first = ""] = readdirSync(packs, { recursive: true, withFileTypes: true }).flatMap((file) =>
        file.isFile() ? [join(file.parentPath, file.name)] : [],
      );
      rmSync(first);
      const { result: damaged } = await runOperation(verifyDumps(place));
      expect(damaged).toMatchObject({ outcome: "damaged", recorded: true });
      expect(damaged.findings.map(({ code }) => code)).toContain("file-missing");
      expect((await backupHistory(database.url))[0]).toMatchObject({ verification: "failed" });
    });

    test("without the database, the repository is listed all the same", async () => {
      await pooler.close();
      const { result: listed } = await runOperation(listDumps(place));
      expect(listed.unreachable).toBeDefined();
      expect(listed.backups).toMatchObject([{ schedule: "daily", stored: true }]);
    });
  },
);

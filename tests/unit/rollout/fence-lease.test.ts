import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FencedDirectory } from "../../../operations/rollout/local/fenced-directory.ts";
import { FencedError } from "../../../operations/rollout/ports/lease.ts";
import { FileLeaseStore } from "../../../operations/rollout/local/file-lease.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "exai-lease-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe("a fenced directory", () => {
  it("replaces files and shuts out an older token that is still working", async () => {
    const old = await FencedDirectory.open(directory, 1);
    await old.replace("file", "one");
    const young = await FencedDirectory.open(directory, 2);
    await expect(old.replace("file", "late")).rejects.toThrow(FencedError);
    await expect(old.append("log", "late")).rejects.toThrow(FencedError);
    expect(await readFile(join(directory, "file"), "utf8")).toBe("one");
    await young.replace("file", "two");
    expect(await readFile(join(directory, "file"), "utf8")).toBe("two");
    await expect(FencedDirectory.open(directory, 1)).rejects.toThrow(FencedError);
    // The refused opener removes its staging directory.
    expect((await readdir(directory)).sort()).toEqual([".staging-2", "file"]);
  });
});

describe("a lease", () => {
  it("is acquired by one of many contenders, with growing tokens", async () => {
    const store = new FileLeaseStore(directory);
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, () => new FileLeaseStore(directory).acquire("cutover")),
    );
    const won = tries.filter((each) => each.status === "fulfilled");
    expect(won).toHaveLength(1);
    for (const lost of tries.filter((each) => each.status === "rejected")) {
      expect(lost.reason).toMatchObject({ name: "UserError", exitCode: 3 });
      expect(String(lost.reason)).toContain(`process ${String(process.pid)}`);
    }
    expect(await store.holder()).toMatchObject({ pid: process.pid, verb: "cutover" });
    await won[0]?.value.release();
    expect(await store.holder()).toBeUndefined();
    const next = await store.acquire("rollback");
    expect(next.token).toBe((won[0]?.value.token ?? 0) + 1);
    await next.release();
  });

  it("is free at once when its holder on this machine was killed", async () => {
    const module = new URL("../../../operations/rollout/local/file-lease.ts", import.meta.url).href;
    const code = `const { FileLeaseStore } = await import(${JSON.stringify(module)});
      const lease = await new FileLeaseStore(${JSON.stringify(directory)}, 600).acquire("cutover");
      console.log(lease.token); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const store = new FileLeaseStore(directory, 600);
    await expect(store.acquire("rollback")).rejects.toThrow(`process ${String(child.pid)}`);
    child.kill("SIGKILL");
    await once(child, "exit");
    const lease = await store.acquire("rollback");
    expect(lease.token).toBe(Number(line.toString()) + 1);
    await lease.release();
  });

  it("expires if a holder on another machine stops renewing it", async () => {
    const store = new FileLeaseStore(directory, 1);
    const lease = await store.acquire("cutover");
    await lease.release();
    const path = join(directory, "00000001.json");
    const record = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
    const elsewhere = { ...record, released: false, boot: "another machine", renewedAt: Date.now() };
    await writeFile(path, JSON.stringify(elsewhere));
    await expect(store.acquire("rollback")).rejects.toMatchObject({ exitCode: 3 });
    await sleep(1100);
    const next = await store.acquire("rollback");
    expect(next.token).toBe(2);
    await next.release();
  });

  it("ignores a change of the wall clock on the same machine", async () => {
    const store = new FileLeaseStore(directory, 30);
    const lease = await store.acquire("cutover");
    const path = join(directory, "00000001.json");
    const record = JSON.parse(await readFile(path, "utf8")) as { renewedAt: number };
    await writeFile(path, JSON.stringify({ ...record, renewedAt: record.renewedAt - 3_600_000 }));
    await expect(store.acquire("rollback")).rejects.toMatchObject({ exitCode: 3 });
    await lease.release();
  });

  it("is renewed, and aborts its holder's signal if another process takes it", async () => {
    const store = new FileLeaseStore(directory, 3);
    const lease = await store.acquire("cutover");
    await sleep(4000);
    await expect(store.acquire("rollback")).rejects.toMatchObject({ exitCode: 3 });
    expect(lease.lost.aborted).toBe(false);
    // A takeover creates the next number.
    const record = JSON.parse(await readFile(join(directory, "00000001.json"), "utf8")) as object;
    await writeFile(join(directory, "00000002.json"), JSON.stringify({ ...record, token: 2 }));
    await expect.poll(() => lease.lost.aborted, { timeout: 5000 }).toBe(true);
    await lease.release();
  });
});

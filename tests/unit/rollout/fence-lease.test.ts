import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
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
    const store = new FileLeaseStore(directory, 3);
    const lease = await store.acquire("cutover");
    await lease.release();
    const path = join(directory, "00000001.json");
    const record = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
    const elsewhere = { ...record, released: false, boot: "another machine", renewedAt: Date.now() };
    await writeFile(path, JSON.stringify(elsewhere));
    await expect(store.acquire("rollback")).rejects.toMatchObject({ exitCode: 3 });
    await sleep(3100);
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
    const store = new FileLeaseStore(directory, 6);
    const lease = await store.acquire("cutover");
    await sleep(7000);
    await expect(store.acquire("rollback")).rejects.toMatchObject({ exitCode: 3 });
    expect(lease.lost.aborted).toBe(false);
    // A takeover creates the next number.
    const record = JSON.parse(await readFile(join(directory, "00000001.json"), "utf8")) as object;
    await writeFile(join(directory, "00000002.json"), JSON.stringify({ ...record, token: 2 }));
    await expect.poll(() => lease.lost.aborted, { timeout: 30_000 }).toBe(true);
    await lease.release();
  });

  it.each([
    ["cut off", '{"schema":1,"holder":{"who":"ann@h'],
    ["empty", ""],
    ["of another shape", '{"schema":1}'],
    ["of a duration that is none", undefined],
  ])("whose file is damaged (%s) is reported, seized at once, and acquired after it was watched", async (_, text) => {
    const path = join(directory, "00000001.json");
    const store = new FileLeaseStore(directory, 1);
    const lease = await store.acquire("cutover");
    await lease.release();
    const record = JSON.parse(await readFile(path, "utf8")) as object;
    const damaged = text ?? JSON.stringify({ ...record, released: false, seconds: 1e12 });
    await writeFile(path, damaged);
    expect(await store.holder()).toMatchObject({ doubtful: true, who: expect.stringContaining("damaged") as string });
    const began = performance.now();
    const acquired = await store.acquire("up");
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(acquired.token).toBe(2);
    await acquired.release();

    await writeFile(join(directory, "00000003.json"), damaged);
    const seizing = performance.now();
    const seized = await new FileLeaseStore(directory, 3600).seize("rollback");
    expect(performance.now() - seizing).toBeLessThan(60_000);
    expect(seized.token).toBe(4);
    await seized.release();
  });

  it("whose file is damaged is not taken from a holder that lives: its next renewal rewrites the file", async () => {
    const store = new FileLeaseStore(directory, 5);
    const lease = await store.acquire("cutover");
    await writeFile(join(directory, "00000001.json"), "garbage");
    await expect(store.acquire("up")).rejects.toMatchObject({ code: "lock-held", message: /`cutover`, process/ });
    expect(lease.lost.aborted).toBe(false);
    await lease.release();
  });

  it("dated ahead by another machine's clock is in doubt, and ends if it is not renewed", async () => {
    const store = new FileLeaseStore(directory, 1);
    await (await store.acquire("cutover")).release();
    const path = join(directory, "00000001.json");
    const record = JSON.parse(await readFile(path, "utf8")) as object;
    const ahead = { ...record, released: false, boot: "another machine", renewedAt: Date.now() + 86_400_000 };
    await writeFile(path, JSON.stringify(ahead));
    expect(await store.holder()).toMatchObject({ verb: "cutover", doubtful: true });
    const next = await store.acquire("up");
    expect(next.token).toBe(2);
    await next.release();
  });

  it("is not the name of a file or folder that no lease can have", async () => {
    await writeFile(join(directory, "99999999999999999999.json"), "");
    await mkdir(join(directory, "00000007.json"));
    const lease = await new FileLeaseStore(directory, 1).seize("rollback");
    expect(lease.token).toBe(8);
    await lease.release();
  });
});

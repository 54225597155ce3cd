import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { controlRequest } from "../../../operations/rollout/ports/control.ts";
import { firstJournal } from "../../../operations/rollout/model/journal.ts";
import { FileControlStore } from "../../../operations/rollout/local/file-control.ts";
import { FileJournalStore } from "../../../operations/rollout/local/file-journal.ts";
import { FileLeaseStore } from "../../../operations/rollout/local/file-lease.ts";
import { FencedError } from "../../../operations/rollout/ports/lease.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "exai-control-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function asked(action: "pause" | "continue", rollout = "r1") {
  return controlRequest({ action }, rollout, "ann@host", "lunch");
}

describe("requests as files", () => {
  it("are returned once, in order, to the first reader", async () => {
    const [terminal, controller, other] = Array.from({ length: 3 }, () => new FileControlStore(directory));
    const requests = [asked("pause"), { ...asked("continue"), at: "2999-01-01T00:00:00.000Z" }];
    for (const request of requests.toReversed()) await terminal?.post(request);
    const taken = await Promise.all([controller?.take("r1"), other?.take("r1")]);
    expect(taken.flat().map((request) => request?.id)).toHaveLength(2);
    expect(new Set(taken.flat().map((request) => request?.id))).toEqual(new Set(requests.map(({ id }) => id)));
    expect(await controller?.take("r1")).toEqual([]);
    for (const request of requests) await terminal?.post(request);
    expect(await controller?.take("r1")).toEqual(requests);
  });

  it("are left alone while they are being written", async () => {
    const store = new FileControlStore(directory);
    const staged = ".20990101-1.request.json";
    await writeFile(join(directory, staged), "{");
    expect(await store.take("r1")).toEqual([]);
    expect(await readdir(directory)).toEqual([staged]);
  });

  it("are not returned for another rollout", async () => {
    const store = new FileControlStore(directory);
    await store.post(asked("pause", "r0"));
    expect(await store.take("r1")).toEqual([]);
    expect(await store.take("r0")).toEqual([]);
  });

  it("can be withdrawn until they are taken", async () => {
    const store = new FileControlStore(directory);
    const [early, late] = [asked("pause"), asked("continue")];
    await store.post(early);
    expect(await store.withdraw(early.id)).toBe(true);
    expect(await store.take("r1")).toEqual([]);
    await store.post(late);
    await store.take("r1");
    expect(await store.withdraw(late.id)).toBe(false);
  });

  it("are answered", async () => {
    const store = new FileControlStore(directory);
    const { id } = asked("pause");
    expect(await store.answerTo(id)).toBeUndefined();
    await store.answer({ id, accepted: false, problem: "no" });
    expect(await new FileControlStore(directory).answerTo(id)).toEqual({ id, accepted: false, problem: "no" });
    // Nothing half-written is left behind.
    expect((await readdir(directory)).filter((name) => name.startsWith("."))).toEqual([]);
  });
});

describe("a lease that is seized", () => {
  it("rejects the writes of its living holder and aborts its signal soon", async () => {
    const store = new FileLeaseStore(join(directory, "leases"), 600);
    const hanging = await store.acquire("cutover");
    const journal = new FileJournalStore(directory);
    const late = await journal.open(hanging);
    await expect(store.acquire("rollback")).rejects.toMatchObject({ exitCode: 3 });
    const lost = new Promise((resolve) => {
      hanging.lost.addEventListener("abort", resolve, { once: true });
    });
    const seized = await store.seize("rollback");
    expect(seized.token).toBe(hanging.token + 1);
    await (await journal.open(seized)).write({ ...firstJournal(), sequence: 1, token: seized.token });
    await expect(late.write({ ...firstJournal(), sequence: 2 })).rejects.toThrow(FencedError);
    await lost;
    await seized.release();
  });
});

import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RouteTable } from "../../../contract/envoy/routes.ts";
import { firstJournal, type Journal } from "../../../operations/rollout/model/journal.ts";
import { FencedError, type Lease } from "../../../operations/rollout/ports/lease.ts";
import { FileJournalStore } from "../../../operations/rollout/local/file-journal.ts";

let directory: string;
let store: FileJournalStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "exai-journal-"));
  store = new FileJournalStore(directory);
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function lease(token: number): Lease {
  return { token, lost: new AbortController().signal, release: () => Promise.resolve() };
}

function journal(sequence: number): Journal {
  return {
    ...firstJournal(),
    sequence,
    entry: {
      sequence,
      at: "2026-11-22T00:00:00.000Z",
      who: "ann@host",
      rollout: "r1",
      from: "idle",
      to: "prepare",
      label: "prepare",
      reason: "because",
      images: { green: "image" },
      weights: { blue: 100, green: 0 },
      verdicts: [],
    },
  };
}

describe("the journal on files", () => {
  it("is absent at first, then has the last write, and the history has each entry once", async () => {
    expect(await store.read()).toBeUndefined();
    const writer = await store.open(lease(1));
    await writer.write(journal(1));
    await writer.write(journal(2));
    expect(await store.read()).toEqual(journal(2));
    expect((await store.history()).map((entry) => entry.sequence)).toEqual([1, 2]);
  });

  it("repairs a history after a crash", async () => {
    const writer = await store.open(lease(1));
    await writer.write(journal(1));
    await writer.write(journal(2));
    const path = join(directory, "history.jsonl");
    const lines = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, `${lines[0] ?? ""}\n${(lines[1] ?? "").slice(0, 20)}`);
    const next = await store.open(lease(2));
    expect((await store.history()).map((entry) => entry.sequence)).toEqual([1, 2]);
    await next.write(journal(3));
    expect((await store.history()).map((entry) => entry.sequence)).toEqual([1, 2, 3]);
  });

  it("appends entries later that the history could not take", async () => {
    const writer = await store.open(lease(1));
    await writer.write(journal(1));
    const path = join(directory, "history.jsonl");
    const before = await readFile(path, "utf8");
    await rm(path);
    await mkdir(path); // appending fails
    await expect(writer.write(journal(2))).rejects.toThrow("EISDIR");
    await rm(path, { recursive: true });
    await writeFile(path, `${before}{"sequence":`); // incomplete, as after a full disk
    expect((await store.read())?.sequence).toBe(2);
    await writer.write(journal(3));
    expect((await store.history()).map((entry) => entry.sequence)).toEqual([1, 2, 3]);
  });

  it("rejects a holder that was taken over", async () => {
    const old = await store.open(lease(1));
    await old.write(journal(1));
    await store.open(lease(2));
    await expect(old.write(journal(2))).rejects.toThrow(FencedError);
    expect((await store.read())?.sequence).toBe(1);
  });

  it("rejects an unknown journal with the file and the fix", async () => {
    const path = join(directory, "journal.json");
    await writeFile(path, JSON.stringify({ ...journal(1), schema: 2 }));
    await expect(store.read()).rejects.toMatchObject({ name: "UserError", where: path });
    await writeFile(path, "{");
    await expect(store.read()).rejects.toMatchObject({ name: "UserError", where: path });
    await appendFile(path, "}");
    await expect(store.read()).rejects.toThrow("schema undefined");
  });

  it("starts with the slot of the router's table", () => {
    const table: RouteTable = {
      ...{ generation: 7, token: 3, weights: { blue: 0, green: 100 }, evicted: ["blue"], emptied: ["blue"] },
    };
    const machine = { active: "green", evicted: ["blue"], emptied: ["blue"] };
    expect(firstJournal(table)).toMatchObject({ machine, table });
  });
});

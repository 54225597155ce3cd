import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storageKey } from "../../../contract/storage/object-store.ts";
import { createStore } from "../../../images/object-store/src/http.ts";
import { Objects } from "../../../images/object-store/src/objects.ts";
import { LARGEST_FILE, objection } from "../../../images/reference-server/src/uploads/limits.ts";
import { multipart } from "../../../images/reference-server/src/uploads/multipart.ts";
import {
  PART_BYTES,
  parts,
  rest,
  sha256,
  verified,
  type Part,
} from "../../../images/reference-server/src/uploads/parts.ts";
import { sendToProvider } from "../../../images/reference-server/src/uploads/provider-files.ts";
import { pauseBefore, retryAfterOf, retrying, Transient } from "../../../images/reference-server/src/uploads/retry.ts";
import { BUCKET, ObjectStore, StoreRefusal } from "../../../images/reference-server/src/uploads/store.ts";
import { readNew } from "../../../images/reference-server/src/uploads/tus.ts";
import { readForm } from "../../support/uploads/form.ts";

const SECRET = "a key for the store of at least thirty-two bytes";
const bytesOf = (length: number) => Buffer.from(Array.from({ length }, (_, index) => (index * 7) % 251));
const partOf = (...chunks: Buffer[]): Part => ({ chunks, bytes: Buffer.concat(chunks).length });

async function* flow(...chunks: (Buffer | Error)[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield await (chunk instanceof Error ? Promise.reject(chunk) : Promise.resolve(chunk));
}

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

describe("parts of a body", () => {
  const sizes = async (offset: number, ...chunks: (Buffer | Error)[]) => {
    const found: number[] = [];
    for await (const part of parts(flow(...chunks), offset)) found.push(part.bytes);
    return found;
  };

  test("end at multiples of their size in the file", async () => {
    const large = Buffer.alloc(PART_BYTES + 10);
    expect(await sizes(0, large, large)).toEqual([PART_BYTES, PART_BYTES, 20]);
    expect(await sizes(PART_BYTES - 3, Buffer.alloc(5))).toEqual([3, 2]);
    expect(await sizes(0)).toEqual([]);
  });

  test("keep what came before a break, and report the break after it", async () => {
    const found: number[] = [];
    const read = async () => {
      for await (const part of parts(flow(Buffer.alloc(7), new Error("reset")), 0)) found.push(part.bytes);
    };
    await expect(read()).rejects.toThrow("ended before its end");
    expect(found).toEqual([7]);
  });

  test("are cut where the store has them already", () => {
    const part = partOf(Buffer.from("abc"), Buffer.from("de"), Buffer.from("f"));
    expect(Buffer.concat(rest(part, 4).chunks).toString()).toBe("ef");
    expect(rest(part, 4).bytes).toBe(2);
    expect(Buffer.concat(rest(part, 0).chunks).toString()).toBe("abcdef");
  });

  test("prove a file that is read back in any chunks", async () => {
    const recorded = [Buffer.from("123"), Buffer.from("4567")].map((chunk) => ({
      bytes: chunk.length,
      sha256: sha256(partOf(chunk)),
    }));
    const whole = createHash("sha256").update("1234567").digest("hex");
    const read = (...texts: string[]) => verified(flow(...texts.map((text) => Buffer.from(text))), recorded);
    expect(await read("1234567")).toBe(whole);
    expect(await read("12", "34", "567")).toBe(whole);
    expect(await read("123456x")).toBeUndefined();
    expect(await read("123456")).toBeUndefined();
    expect(await read("12345678")).toBeUndefined();
  });
});

describe("retries", () => {
  const policy = { attempts: 4, first: 0.2, most: 10 };
  const failing = (times: number, error: Error) => {
    const pauses: number[] = [];
    const run = retrying(policy, (attempt) => (attempt <= times ? Promise.reject(error) : Promise.resolve(attempt)), {
      random: () => 1,
      pause: (seconds) => {
        pauses.push(seconds);
        return Promise.resolve();
      },
    });
    return { run, pauses };
  };

  test("pause for longer each time, and end with the last error", async () => {
    const { run, pauses } = failing(3, new Transient("busy"));
    expect(await run).toBe(4);
    expect(pauses).toEqual([0.2, 0.4, 0.8]);
    await expect(failing(4, new Transient("busy")).run).rejects.toThrow("busy");
  });

  test("are for what may pass alone", async () => {
    const { run, pauses } = failing(1, new Error("wrong"));
    await expect(run).rejects.toThrow("wrong");
    expect(pauses).toEqual([]);
  });

  test("come after the time that the peer asks for, unless it is longer than anyone waits", () => {
    expect(pauseBefore(1, new Transient("busy", 3), policy, () => 0.5)).toBe(3.1);
    expect(pauseBefore(1, new Transient("busy", 11), policy, () => 0.5)).toBeUndefined();
  });

  test("read both forms of retry-after", () => {
    const of = (value: string) => retryAfterOf(new Headers({ "retry-after": value }), Date.UTC(2026, 0, 1));
    expect(of("7")).toBe(7);
    expect(of("Thu, 01 Jan 2026 00:00:09 GMT")).toBe(9);
    expect(of("Thu, 01 Jan 2025 00:00:09 GMT")).toBe(0);
    expect(of("soon")).toBeUndefined();
    expect(retryAfterOf(new Headers())).toBeUndefined();
  });
});

describe("a new upload", () => {
  const provider = { url: "http://127.0.0.1", model: "x", timeoutSeconds: 5 };
  const providers = { kimi: { ...provider, apiKey: "k" }, glm: provider };
  const read = (size: string, metadata: Readonly<Record<string, string>>) =>
    readNew(
      {
        "upload-length": size,
        "upload-metadata": Object.entries(metadata)
          .map(([name, value]) => `${name} ${Buffer.from(value).toString("base64")}`)
          .join(","),
      },
      providers,
    );

  test("is what the headers say", () => {
    expect(read("7", { filename: "naïve.pdf", filetype: "application/pdf", provider: "kimi" })).toEqual({
      name: "naïve.pdf",
      size: 7,
      mediaType: "application/pdf",
      sha256: undefined,
      provider: "kimi",
    });
  });

  test.each([
    ["0", { filename: "a" }, 400],
    ["1e3", { filename: "a" }, 400],
    ["7", {}, 400],
    ["7", { filename: "a\nb" }, 400],
    ["7", { filename: "a", filetype: "text/plain\r\nx: y" }, 400],
    ["7", { filename: "a", sha256: "0" }, 400],
    ["7", { filename: "a.pdf", provider: "other" }, 400],
    ["7", { filename: "a.pdf", provider: "glm" }, 400],
    ["7", { filename: "a.exe", provider: "kimi" }, 415],
    [String(100 * 1024 * 1024 + 1), { filename: "a.pdf", provider: "kimi" }, 413],
    [String(LARGEST_FILE + 1), { filename: "a" }, 413],
  ])("of %s bytes with %o is refused with %i", (size, metadata, status) => {
    expect(() => read(size, metadata)).toThrow(expect.objectContaining({ status }));
  });

  test("goes to a provider that reads such files", () => {
    expect(objection("notes.MD", 1, "kimi")).toBeUndefined();
    expect(objection("notes.md", 1, "glm")).toMatchObject({ status: 415 });
    expect(objection("notes", 1, undefined)).toBeUndefined();
  });
});

test("a file's name cannot end the header of a form", async () => {
  const { body, headers } = multipart(
    { purpose: "agent" },
    { name: 'a"\r\nx: y', mediaType: "text/plain", size: 2, content: flow(Buffer.from("hi")) },
  );
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  expect(text).toContain('name="file"; filename="a%22%0D%0Ax: y"\r\ncontent-type: text/plain\r\n\r\nhi\r\n--');
  expect(headers["content-length"]).toBe(String(text.length));
  expect(readForm(Buffer.from(text), headers["content-type"])).toEqual({
    fields: { purpose: "agent" },
    fileName: "a%22%0D%0Ax: y",
    file: Buffer.from("hi"),
  });
});

describe("a provider's API for files", () => {
  let answer: { status: number; headers?: Record<string, string>; body: unknown };
  const received: { path: string | undefined; key: string | undefined; file: string }[] = [];
  const server = createServer((request, response) => {
    void request.toArray().then((chunks) => {
      const form = readForm(Buffer.concat(chunks as Buffer[]), request.headers["content-type"]);
      const file = form.file.toString();
      received.push({ path: request.url, key: request.headers.authorization, file });
      response.writeHead(answer.status, answer.headers).end(JSON.stringify(answer.body));
    });
  });
  let url: string;
  const send = () =>
    sendToProvider(
      "kimi",
      { url: `${url}/v1`, model: "x", timeoutSeconds: 5, apiKey: "key" },
      { name: "a.txt", mediaType: "text/plain", size: 5, content: flow(Buffer.from("he"), Buffer.from("llo")) },
      new AbortController().signal,
    );
  beforeAll(async () => {
    url = await listening(server);
  });
  afterAll(() => server.close());

  test("gets a form with the file, and gives its identifier", async () => {
    answer = { status: 200, body: { id: "file-1", bytes: 5, status: "ok" } };
    expect(await send()).toBe("file-1");
    expect(received).toEqual([{ path: "/v1/files", key: "Bearer key", file: "hello" }]);
  });

  test.each([
    [
      { status: 429, headers: { "retry-after": "3" }, body: {} },
      { name: "Transient", retryAfter: 3 },
    ],
    [{ status: 502, body: {} }, { name: "Transient" }],
    [{ status: 200, body: { id: "x", bytes: 4 } }, { name: "Transient" }],
    [{ status: 401, body: {} }, { name: "ProviderError" }],
    [{ status: 200, body: { id: "x", status: "error", status_details: "no text" } }, { name: "ProviderError" }],
    [{ status: 200, body: {} }, { name: "ProviderError" }],
  ])("that answers %o fails with %o", async (given, error) => {
    answer = given;
    await expect(send()).rejects.toMatchObject(error);
  });
});

describe("the object store", () => {
  const root = mkdtempSync(join(tmpdir(), "exai-store-"));
  let server: Server;
  let url: string;
  let store: ObjectStore;
  const serve = async () => {
    const objects = new Objects(root);
    await objects.prepare();
    server = createStore(objects, SECRET);
    url = await listening(server);
    store = new ObjectStore({ url, key: storageKey(SECRET, "service_role") });
    return objects;
  };
  const end = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  const text = async (path: string) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of await store.read(path)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  beforeAll(serve);
  afterAll(async () => {
    await end();
    rmSync(root, { recursive: true });
  });

  test("keeps an upload in parts, over its restart, and returns the object", async () => {
    const file = bytesOf(100_000);
    const id = await store.begin("user/one", file.length, "text/plain");
    expect(await store.append(id, 0, partOf(file.subarray(0, 30_000)))).toBe(30_000);
    await end();
    await serve();
    expect(await store.received(id)).toBe(30_000);
    expect(await store.size("user/one")).toBeUndefined();
    expect(await store.append(id, 30_000, partOf(file.subarray(30_000)))).toBe(100_000);
    expect(await store.size("user/one")).toBe(100_000);
    expect(await text("user/one")).toEqual(file);
    await store.remove("user/one");
    await store.remove("user/one");
    expect(await store.size("user/one")).toBeUndefined();
  });

  test("refuses a part at another place, and one that is too long", async () => {
    const id = await store.begin("user/two", 4, undefined);
    await expect(store.append(id, 2, partOf(Buffer.from("ab")))).rejects.toBeInstanceOf(Transient);
    await expect(store.append(id, 0, partOf(Buffer.from("abcde")))).rejects.toMatchObject({ status: 413 });
    await store.abandon(id);
    expect(await store.received(id)).toBeUndefined();
    expect(await store.received("../../etc/passwd")).toBeUndefined();
  });

  test("lets the service role in alone", async () => {
    for (const key of [
      storageKey(SECRET, "anon"),
      storageKey("another key of at least thirty-two bytes", "service_role"),
      "none",
    ]) {
      const other = new ObjectStore({ url, key });
      await expect(other.size("user/one")).rejects.toBeInstanceOf(StoreRefusal);
      await expect(other.begin("user/one", 1, undefined)).rejects.toBeInstanceOf(StoreRefusal);
    }
    expect((await fetch(`${url}/status`)).status).toBe(200);
    expect((await fetch(`${url}/storage/v1/object/${BUCKET}/user/one`)).status).toBe(401);
  });

  test("finishes an object whose naming was interrupted, and forgets old uploads", async () => {
    const id = await store.begin("user/three", 3, undefined);
    await store.append(id, 0, partOf(Buffer.from("abc")));
    const name = createHash("sha256").update(`${BUCKET}/user/three`).digest("hex");
    const description = join(root, "objects", `${name}.json`);
    const info = { bucket: BUCKET, name: "user/three", size: 3, contentType: "text/plain" };
    rmSync(description);
    writeFileSync(join(root, "uploads", `${id}.json`), JSON.stringify(info));
    await end();
    const objects = await serve();
    expect((await text("user/three")).toString()).toBe("abc");
    await store.begin("user/four", 3, undefined);
    await objects.prune();
    expect(readdirSync(join(root, "uploads"))).toHaveLength(2);
    await objects.prune(Date.now() + 25 * 3600_000);
    expect(readdirSync(join(root, "uploads"))).toEqual([]);
  });

  test("that does not answer is a failure that may pass", async () => {
    await end();
    await expect(store.size("user/one")).rejects.toBeInstanceOf(Transient);
    await serve();
  });
});

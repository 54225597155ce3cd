import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SERVER_PATHS } from "../../../../contract/server.ts";
import { until } from "../../reference-server/harness.ts";
import { ALICE, bearer, BOB, NOBODY, type ServerWorld } from "./world.ts";

const hashOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const MEBIBYTE = 1024 * 1024;

/** Uploads in parts to the store, and from it to the provider. */
export function uploadTests(world: ServerWorld): void {
  describe("uploads", () => {
    // The tests look at an upload more often than a user may.
    beforeAll(() => world.liftLimits());
    afterAll(() => world.restoreLimits());

    const TUS = { "tus-resumable": "1.0.0" };
    const metadata = (values: Readonly<Record<string, string>>) =>
      Object.entries(values)
        .map(([name, value]) => `${name} ${Buffer.from(value).toString("base64")}`)
        .join(",");
    const ask = (
      method: string,
      location: string,
      headers: Record<string, string> = {},
      sub = ALICE,
      at = world.server,
    ) => fetch(at.url + location, { method, headers: { ...TUS, ...bearer(sub), ...headers } });
    const begin = (size: number, values: Readonly<Record<string, string>>, sub = ALICE) =>
      ask("POST", SERVER_PATHS.uploads, { "upload-length": String(size), "upload-metadata": metadata(values) }, sub);
    const begun = async (size: number, values: Readonly<Record<string, string>>) => {
      const answer = await begin(size, values);
      expect(answer.status).toBe(201);
      return answer.headers.get("location") ?? "";
    };
    const send = (location: string, offset: number, bytes: Buffer, at = world.server, sub = ALICE) =>
      fetch(at.url + location, {
        method: "PATCH",
        headers: {
          ...TUS,
          ...bearer(sub),
          "upload-offset": String(offset),
          "content-type": "application/offset+octet-stream",
        },
        body: new Uint8Array(bytes),
      });
    const offset = async (location: string, at = world.server) =>
      Number((await ask("HEAD", location, {}, ALICE, at)).headers.get("upload-offset"));
    const progress = async (location: string, at = world.server, sub = ALICE) =>
      (await (await ask("GET", location, {}, sub, at)).json()) as {
        status: string;
        received: number;
        reason?: string;
        copy?: { status: string; providerFile: string; error: string | null };
      };
    const idOf = (location: string) => location.split("=")[1] ?? "";
    /** Sends the beginning of a part and cuts the connection. */
    const cut = async (location: string, from: number, bytes: Buffer, size: number, at = world.server) => {
      const request = httpRequest(at.url + location, {
        method: "PATCH",
        headers: {
          ...TUS,
          ...bearer(ALICE),
          "upload-offset": from,
          "content-type": "application/offset+octet-stream",
          "content-length": size - from,
        },
      });
      request.on("error", () => undefined);
      await new Promise<void>((resolve) =>
        request.write(bytes, () => {
          resolve();
        }),
      );
      return () => request.destroy();
    };

    it("go to the store in parts and then to the provider, with their rows", async () => {
      const bytes = randomBytes(7 * MEBIBYTE);
      const sha256 = hashOf(bytes);
      world.provider.busy = 1;
      const location = await begun(bytes.length, {
        filename: "report.pdf",
        filetype: "application/pdf",
        provider: "kimi",
        sha256,
      });
      expect(await offset(location)).toBe(0);
      const answer = await send(location, 0, bytes);
      expect(answer.status).toBe(204);
      expect(answer.headers.get("upload-offset")).toBe(String(bytes.length));
      const copy = await until("the provider has it", async () => {
        const { copy } = await progress(location);
        return copy?.status === "uploaded" && copy;
      });
      expect(world.provider.files).toEqual([{ purpose: "file-extract", name: "report.pdf", sha256 }]);
      expect(copy.providerFile).toBe("file-1");
      const id = idOf(location);
      expect(
        await world.stack.sql(`select name, size_bytes, sha256, storage_path from public.files where id = '${id}'`),
      ).toBe(`report.pdf|${String(bytes.length)}|${sha256}|${ALICE}/${id}\n`);
      expect(
        await world.stack.sql(
          `select part_number, size_bytes, sha256 = '${hashOf(bytes.subarray(0, 6 * MEBIBYTE))}' from public.upload_parts order by 1`,
        ),
      ).toBe(`1|${String(6 * MEBIBYTE)}|t\n2|${String(MEBIBYTE)}|f\n`);
      expect(await world.stack.sql("select bucket, path, etag from public.storage_objects")).toBe(
        `files|${ALICE}/${id}|${sha256}\n`,
      );
      expect(
        await world.stack.sql(
          "select outcome, bytes from public.provider_usage where operation = 'upload' order by used_at",
        ),
      ).toBe(`error|${String(bytes.length)}\nok|${String(bytes.length)}\n`);
    });

    it("continue where they were after a cut connection, at the other slot, and after a killed server", async () => {
      const green = await world.start({ EXAI_SLOT: "green" });
      const bytes = randomBytes(16 * MEBIBYTE);
      const location = await begun(bytes.length, { filename: "a.txt", sha256: hashOf(bytes) });
      const end = await cut(location, 0, bytes.subarray(0, 7 * MEBIBYTE), bytes.length);
      await until("the first part is there", async () => (await progress(location)).received >= 6 * MEBIBYTE);
      end();
      // What came of the second part is kept too.
      await until("all that came is kept", async () => (await offset(location, green)) === 7 * MEBIBYTE);
      await cut(location, 7 * MEBIBYTE, bytes.subarray(7 * MEBIBYTE, 13 * MEBIBYTE), bytes.length, green);
      await until("a part is there", async () => (await progress(location)).received >= 12 * MEBIBYTE);
      green.process.kill("SIGKILL");
      const from = await offset(location);
      expect(from).toBe(12 * MEBIBYTE);
      expect((await send(location, from, bytes.subarray(from))).status).toBe(204);
      expect(await progress(location)).toMatchObject({ status: "completed", file: idOf(location) });
    });

    it("survive a store that breaks in the middle of parts, without the client's doing", async () => {
      const bytes = randomBytes(8 * MEBIBYTE);
      const location = await begun(bytes.length, { filename: "a.txt", sha256: hashOf(bytes) });
      world.store.brokenParts = 2;
      expect((await send(location, 0, bytes)).status).toBe(204);
      expect(world.store.brokenParts).toBe(0);
      expect(await progress(location)).toMatchObject({ status: "completed" });
    });

    it("are continued to the provider by another process, and again on request", async () => {
      const green = await world.start({ EXAI_SLOT: "green", EXAI_GRACE_SECONDS: "1" });
      const before = world.provider.files.length;
      const values = { filename: "a.txt", provider: "kimi" };
      world.provider.busy = 1000;
      const first = await begun(3, values);
      expect((await send(first, 0, Buffer.from("one"), green)).status).toBe(204);
      green.process.kill("SIGTERM");
      expect(await green.exited).toBe(0);
      expect(world.provider.files.length).toBe(before);
      world.provider.busy = 0;
      await until("another process has sent it", async () => (await progress(first)).copy?.status === "uploaded");
      // As after the last try.
      await world.stack.sql(
        `update public.provider_file_uploads set status = 'failed', error = 'kimi answered 503' where file_id = '${idOf(first)}'`,
      );
      expect((await progress(first)).copy).toMatchObject({ status: "failed", error: "kimi answered 503" });
      expect((await ask("POST", first)).status).toBe(200);
      await until("it was sent again", async () => (await progress(first)).copy?.status === "uploaded");
      expect(world.provider.files.slice(before).map(({ sha256 }) => sha256)).toEqual(
        [1, 2].map(() => hashOf(Buffer.from("one"))),
      );
    });

    it("become files that their user deletes: at the provider, in the store, and their rows", async () => {
      const location = await begun(3, { filename: "a.txt", provider: "kimi" });
      world.provider.busy = 1;
      expect((await send(location, 0, Buffer.from("abc"))).status).toBe(204);
      expect((await ask("DELETE", location)).status).toBe(409);
      const copy = await until("the provider has it", async () => {
        const { copy } = await progress(location);
        return copy?.status === "uploaded" && copy;
      });
      const path = `${ALICE}/${idOf(location)}`;
      expect(await world.store.objects.find("files", path)).toBeDefined();
      expect((await ask("DELETE", location, {}, BOB)).status).toBe(404);
      expect((await ask("DELETE", location)).status).toBe(204);
      expect(world.provider.deleted).toEqual([copy.providerFile]);
      expect(await world.store.objects.find("files", path)).toBeUndefined();
      expect(
        await world.stack.sql(`select deleted_at is null from public.storage_objects where path = '${path}'`),
      ).toBe("f\n");
      expect(await world.stack.sql(`select count(*) from public.files where id = '${idOf(location)}'`)).toBe("0\n");
      expect((await ask("HEAD", location)).status).toBe(410);
      expect(await progress(location)).toMatchObject({ status: "deleted" });
      expect((await ask("DELETE", location)).status).toBe(404);
    });

    it("are refused with the reason", async () => {
      const reason = async (answer: Response) =>
        `${String(answer.status)} ${((await answer.json()) as { reason: string }).reason}`;
      const location = await begun(6, { filename: "a.txt", sha256: hashOf(Buffer.from("abcdef")) });
      expect(await reason(await begin(6, { filename: "a.exe", provider: "kimi" }))).toBe("415 file-type");
      expect(await reason(await begin(2 ** 30, { filename: "a.txt" }))).toBe("413 too-large");
      expect(await reason(await begin(6, { filename: "a.txt", provider: "glm" }))).toBe("400 provider");
      expect(await reason(await begin(6, { filename: "a.txt" }, NOBODY))).toBe("403 account");
      expect(await reason(await send(location, 3, Buffer.from("def")))).toBe("409 offset");
      expect(await reason(await send(location, 0, Buffer.from("abcdefg")))).toBe("413 too-large");
      expect((await fetch(world.server.url + location, { method: "HEAD", headers: bearer(ALICE) })).status).toBe(412);
      expect(
        (await fetch(world.server.url + SERVER_PATHS.uploads, { method: "OPTIONS" })).headers.get("tus-extension"),
      ).toContain("creation");

      // In the middle of a body of unknown length: the client gets the answer, and the rest does not block the connection.
      const long = httpRequest(world.server.url + location, {
        method: "PATCH",
        headers: { ...TUS, ...bearer(ALICE), "upload-offset": 0, "content-type": "application/offset+octet-stream" },
      });
      const answered = once(long, "response");
      long.flushHeaders();
      long.end(Buffer.alloc(20 * MEBIBYTE));
      await once(long, "finish");
      expect(((await answered) as [IncomingMessage])[0].statusCode).toBe(413);

      world.store.down = true;
      const impatient = await world.start({ EXAI_UPLOAD_ATTEMPTS: "1" });
      const down = await send(location, 0, Buffer.from("abc"), impatient);
      expect(Number(down.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      expect(await reason(down)).toBe("503 store-down");
      world.store.down = false;
      impatient.process.kill("SIGKILL");

      expect((await send(location, 0, Buffer.from("abc"))).status).toBe(204);
      expect(await reason(await send(location, 3, Buffer.from("xyz")))).toBe("460 checksum");
      expect((await ask("HEAD", location)).status).toBe(410);
      expect(await progress(location)).toMatchObject({ status: "aborted" });

      const other = await begun(6, { filename: "a.txt" });
      expect((await send(other, 0, Buffer.from("abc"))).status).toBe(204);
      expect((await ask("DELETE", other)).status).toBe(204);
      expect((await ask("DELETE", other)).status).toBe(404);
      await world.stack.sql(
        `insert into public.rate_limits (user_id, name, per_minute, burst) values ('${ALICE}', 'uploads', 20, 1);
       delete from public.rate_limit_buckets where user_id = '${ALICE}' and name = 'uploads'`,
      );
      await begun(6, { filename: "a.txt" });
      expect(await reason(await begin(6, { filename: "a.txt" }))).toBe("429 rate-limit");
      // The empty bucket goes with its limit: the next uploads do not wait for it to fill.
      await world.stack.sql(
        "delete from public.rate_limits where user_id is not null and name = 'uploads'; delete from public.rate_limit_buckets where name = 'uploads'",
      );
    });

    it("end at the place that the server can take: the others come back at a promised time", async () => {
      const narrow = await world.start({ EXAI_UPLOADS_AT_ONCE: "1" });
      const one = await begun(20 * MEBIBYTE, { filename: "a.txt" });
      const two = await begun(3, { filename: "a.txt" });
      const end = await cut(one, 0, Buffer.alloc(7 * MEBIBYTE), 20 * MEBIBYTE, narrow);
      await until("it takes bytes", async () => (await progress(one)).received > 0);
      const refused = await send(two, 0, Buffer.from("abc"), narrow);
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      end();
      await until("there is room", async () => (await send(two, 0, Buffer.from("abc"), narrow)).status === 204);
      narrow.process.kill("SIGKILL");
    });

    it("are seen, continued and ended by their user alone", async () => {
      const location = await begun(6, { filename: "a.txt" });
      for (const method of ["GET", "HEAD", "DELETE", "POST"])
        expect((await ask(method, location, {}, BOB)).status, method).toBe(404);
      expect((await send(location, 0, Buffer.from("abcdef"), world.server, BOB)).status).toBe(404);
      expect(await (await ask("GET", SERVER_PATHS.uploads, {}, BOB)).json()).toEqual({ uploads: [] });
      for (const method of ["GET", "HEAD", "DELETE", "POST", "PATCH"])
        expect((await fetch(world.server.url + location, { method, headers: TUS })).status, method).toBe(401);
      expect(await progress(location)).toMatchObject({ status: "open", received: 0 });
    });
  });
}

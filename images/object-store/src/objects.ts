import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What an object is, and how large. */
export interface ObjectInfo {
  readonly bucket: string;
  readonly name: string;
  readonly size: number;
  readonly contentType: string;
}

/** A request that the store does not fulfil, with the HTTP status that says why. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** How long an upload may take, in milliseconds: as at Supabase. */
const UPLOAD_MS = 24 * 3600_000;

/**
 * Buckets, objects and unfinished uploads below one folder. An object is a file that was complete and on the disk before it got its
 * name; the length of an unfinished file is how far its upload has come.
 */
export class Objects {
  readonly #buckets: string;
  readonly #objects: string;
  readonly #uploads: string;
  readonly #locked = new Set<string>();

  constructor(root: string) {
    this.#buckets = join(root, "buckets");
    this.#objects = join(root, "objects");
    this.#uploads = join(root, "uploads");
  }

  async prepare(): Promise<void> {
    for (const directory of [this.#buckets, this.#objects, this.#uploads]) await mkdir(directory, { recursive: true });
    // An object that got its name, but not its description, before the process ended.
    for (const name of await readdir(this.#uploads)) {
      const path = join(this.#uploads, name);
      if (!name.endsWith(".json") || (await exists(path.slice(0, -".json".length)))) continue;
      const info = JSON.parse(await readFile(path, "utf8")) as ObjectInfo;
      const file = this.#file(info.bucket, info.name);
      if (await exists(file)) await rename(path, `${file}.json`);
    }
  }

  async createBucket(name: string): Promise<void> {
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name))
      throw new StoreError(400, "the name of the bucket is not valid");
    await writeFile(join(this.#buckets, name), "", { flag: "wx" }).catch((error: unknown) => {
      throw (error as NodeJS.ErrnoException).code === "EEXIST"
        ? new StoreError(409, "The resource already exists")
        : error;
    });
  }

  async begin(info: ObjectInfo, replace: boolean): Promise<string> {
    await stat(join(this.#buckets, info.bucket)).catch(notFound("Bucket not found"));
    if (!replace && (await this.find(info.bucket, info.name)) !== undefined)
      throw new StoreError(409, "The resource already exists");
    const id = randomUUID();
    await writeFile(join(this.#uploads, `${id}.json`), JSON.stringify(info));
    await writeFile(join(this.#uploads, id), "");
    return id;
  }

  /** What an upload is for, and how many bytes it has. */
  async progress(id: string): Promise<{ readonly info: ObjectInfo; readonly received: number }> {
    if (!/^[0-9a-f-]{36}$/.test(id)) throw new StoreError(404, "there is no such upload");
    const info = JSON.parse(
      await readFile(join(this.#uploads, `${id}.json`), "utf8").catch(notFound("there is no such upload")),
    ) as ObjectInfo;
    const { size } = await stat(join(this.#uploads, id)).catch(notFound("there is no such upload"));
    return { info, received: size };
  }

  /** Appends what comes. What came before a body broke is kept. @returns bytes that have arrived */
  async append(id: string, offset: number, body: AsyncIterable<Buffer>): Promise<number> {
    if (this.#locked.has(id)) throw new StoreError(423, "another request writes this upload");
    this.#locked.add(id);
    try {
      const { info, received } = await this.progress(id);
      if (received !== offset) throw new StoreError(409, `the upload continues at ${String(received)}`);
      let now = received;
      const file = await open(join(this.#uploads, id), "a");
      try {
        for await (const chunk of body) {
          if (now + chunk.length > info.size) throw new StoreError(413, "the upload is longer than was said");
          await file.appendFile(chunk);
          now += chunk.length;
        }
      } finally {
        await file.sync();
        await file.close();
      }
      if (now === info.size) await this.#finish(id, info);
      return now;
    } finally {
      this.#locked.delete(id);
    }
  }

  async abandon(id: string): Promise<void> {
    await this.progress(id);
    await rm(join(this.#uploads, `${id}.json`));
    await rm(join(this.#uploads, id));
  }

  async find(bucket: string, name: string): Promise<ObjectInfo | undefined> {
    try {
      return JSON.parse(await readFile(`${this.#file(bucket, name)}.json`, "utf8")) as ObjectInfo;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  read(bucket: string, name: string): ReturnType<typeof createReadStream> {
    return createReadStream(this.#file(bucket, name));
  }

  async remove(bucket: string, name: string): Promise<void> {
    const file = this.#file(bucket, name);
    await rm(`${file}.json`).catch(notFound("Object not found"));
    await rm(file, { force: true });
  }

  /** Removes unfinished uploads that are too old. */
  async prune(now: number = Date.now()): Promise<void> {
    for (const name of await readdir(this.#uploads)) {
      const path = join(this.#uploads, name);
      const age = await stat(path).catch(() => undefined);
      if (age !== undefined && now - age.mtimeMs > UPLOAD_MS) await rm(path, { force: true });
    }
  }

  async #finish(id: string, info: ObjectInfo): Promise<void> {
    const file = this.#file(info.bucket, info.name);
    await rename(join(this.#uploads, id), file);
    await rename(join(this.#uploads, `${id}.json`), `${file}.json`);
    const directory = await open(this.#objects);
    await directory.sync().finally(() => directory.close());
  }

  /** Named by a hash: an object's name never becomes a path of the file system. */
  #file(bucket: string, name: string): string {
    return join(this.#objects, createHash("sha256").update(`${bucket}/${name}`).digest("hex"));
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function notFound(message: string): (error: unknown) => never {
  return (error) => {
    throw (error as NodeJS.ErrnoException).code === "ENOENT" ? new StoreError(404, message) : error;
  };
}

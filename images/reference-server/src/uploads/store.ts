import { TUS_VERSION } from "../../../../contract/storage/tus.ts";
import { isPassing, retryAfterOf, Transient } from "./retry.ts";
import type { Part } from "./parts.ts";

/** How the server reaches Supabase's Storage API. */
export interface StoreSettings {
  /** Base of the project, e.g. `https://abc.supabase.co`. */
  readonly url: string;
  /** A key whose role reads and writes the bucket. */
  readonly key: string;
}

/** Bucket of the users' files: private, and without policies, so that no user's key opens it. */
export const BUCKET = "files";

/** The store refused a request that it will not accept later either. */
export class StoreRefusal extends Error {
  override readonly name = "StoreRefusal";
  readonly status: number;

  constructor(status: number, what: string) {
    super(`the object store answered ${String(status)} to ${what}`);
    this.status = status;
  }
}

/** Until the answer to one request must have begun, in milliseconds. */
const ANSWER_MS = 30_000;

const TUS = { "tus-resumable": TUS_VERSION } as const;

const RESUMABLE = "/storage/v1/upload/resumable";

/** The used part of Supabase's Storage API: resumable uploads by tus 1.0, objects, and the bucket. */
export class ObjectStore {
  readonly #settings: StoreSettings;
  #bucket: Promise<void> | undefined;

  constructor(settings: StoreSettings) {
    this.#settings = settings;
  }

  /** Begins an upload. @returns its identifier in the store */
  async begin(path: string, size: number, mediaType: string | undefined): Promise<string> {
    await this.#ensureBucket();
    const metadata = { bucketName: BUCKET, objectName: path, contentType: mediaType ?? "application/octet-stream" };
    const response = await this.#ask("POST", RESUMABLE, {
      ...TUS,
      // What an earlier try has left is this user's own upload of the same identifier.
      "x-upsert": "true",
      "upload-length": String(size),
      "upload-metadata": Object.entries(metadata)
        .map(([name, value]) => `${name} ${Buffer.from(value).toString("base64")}`)
        .join(","),
    });
    // Only the last part: the key is sent to no other host than the configured one.
    const id = /\/([^/?#]+)$/.exec(response.headers.get("location") ?? "")?.[1];
    if (id === undefined) throw new Transient("the object store began an upload and does not say where");
    return id;
  }

  /** Bytes that the store has of an upload; undefined if it has no such upload. */
  async received(id: string): Promise<number | undefined> {
    try {
      return offsetOf(await this.#ask("HEAD", `${RESUMABLE}/${id}`, TUS));
    } catch (error) {
      if (error instanceof StoreRefusal && (error.status === 404 || error.status === 410)) return undefined;
      throw error;
    }
  }

  /** Appends a part. @returns bytes that the store has now */
  async append(id: string, offset: number, { chunks, bytes }: Part): Promise<number> {
    const headers = {
      ...TUS,
      "upload-offset": String(offset),
      "content-type": "application/offset+octet-stream",
      "content-length": String(bytes),
    };
    return offsetOf(await this.#ask("PATCH", `${RESUMABLE}/${id}`, headers, chunks));
  }

  /** Gives up an upload. */
  async abandon(id: string): Promise<void> {
    await this.#ask("DELETE", `${RESUMABLE}/${id}`, TUS).catch(absent);
  }

  /** Reads an object. */
  async read(path: string): Promise<AsyncIterable<Uint8Array>> {
    const { body } = await this.#ask("GET", this.#object(path), {});
    return body === null ? nothing() : broken(body);
  }

  /** Size of an object in bytes; undefined if there is none. */
  async size(path: string): Promise<number | undefined> {
    try {
      const { headers } = await this.#ask("HEAD", this.#object(path), {});
      return Number(headers.get("content-length") ?? NaN);
    } catch (error) {
      if (error instanceof StoreRefusal && [400, 404].includes(error.status)) return undefined;
      throw error;
    }
  }

  async remove(path: string): Promise<void> {
    await this.#ask("DELETE", this.#object(path), {}).catch(absent);
  }

  #object(path: string): string {
    return `/storage/v1/object/${BUCKET}/${path}`;
  }

  /** Makes the bucket once for each process; that it exists is what is wanted. */
  async #ensureBucket(): Promise<void> {
    this.#bucket ??= this.#makeBucket();
    try {
      await this.#bucket;
    } catch (error) {
      this.#bucket = undefined;
      throw error;
    }
  }

  async #makeBucket(): Promise<void> {
    const body = JSON.stringify({ id: BUCKET, name: BUCKET, public: false });
    const headers = { "content-type": "application/json" };
    // Storage answers 400 with the code 409 in the body, and 409 in newer versions.
    const response = await this.#send("POST", "/storage/v1/bucket", headers, body);
    const text = await response.text();
    if (response.ok || response.status === 409 || /exists|Duplicate/.test(text)) return;
    throw failure(response, "POST bucket");
  }

  async #ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: readonly Buffer[],
  ): Promise<Response> {
    const response = await this.#send(method, path, headers, body);
    if (response.ok) return response;
    await response.body?.cancel();
    throw failure(response, `${method} ${path.split("/")[3] ?? path}`);
  }

  async #send(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: string | readonly Buffer[],
  ): Promise<Response> {
    const { url, key } = this.#settings;
    // The time ends with the answer's headers: an object may be read for longer.
    const limit = new AbortController();
    const timer = setTimeout(() => {
      limit.abort();
    }, ANSWER_MS);
    try {
      return await fetch(url + path, {
        method,
        headers: { ...headers, authorization: `Bearer ${key}`, apikey: key },
        ...(body === undefined
          ? {}
          : typeof body === "string"
            ? { body }
            : { body: ReadableStream.from(body), duplex: "half" }),
        redirect: "error",
        signal: limit.signal,
      });
    } catch (error) {
      throw new Transient("the object store does not answer", undefined, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

function failure(response: Response, what: string): Error {
  if (isPassing(response.status))
    return new Transient(
      `the object store answered ${String(response.status)} to ${what}`,
      retryAfterOf(response.headers),
    );
  return new StoreRefusal(response.status, what);
}

function absent(error: unknown): void {
  if (!(error instanceof StoreRefusal) || ![400, 404, 410].includes(error.status)) throw error;
}

function offsetOf({ headers }: Response): number {
  const offset = Number(headers.get("upload-offset") ?? NaN);
  if (!Number.isSafeInteger(offset)) throw new Transient("the object store does not say how far an upload is");
  return offset;
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An empty object.
}

/** A body whose break is {@link Transient}. */
async function* broken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw new Transient("the object store stopped in the middle of an object", undefined, { cause: error });
  }
}

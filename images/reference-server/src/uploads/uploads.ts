import type { User } from "../database/database.ts";
import { Admission } from "../database/admission.ts";
import { clock, Refusal } from "../database/unavailable.ts";
import type { Lifecycle } from "../lifecycle.ts";
import { Forwarder, type ForwarderParts } from "./forwarder.ts";
import { parts, rest, sha256, verified, type Part } from "./parts.ts";
import { deleteAtProvider } from "./provider-files.ts";
import { retrying, Transient } from "./retry.ts";
import { pathOf, type NewUpload, type ProviderCopy, type Upload } from "./rows.ts";
import { StoreRefusal } from "./store.ts";

/** The upload has ended without a file, or the store has lost it: the client begins a new one. */
export class Gone extends Error {
  override readonly name = "Gone";
}

/** What the store has is not what the client said or sent. */
export class Mismatch extends Error {
  override readonly name = "Mismatch";
}

/** The file is being sent to its provider. */
export class Busy extends Error {
  override readonly name = "Busy";
}

/** More bytes than the upload has. */
export class TooLong extends Error {
  override readonly name = "TooLong";
}

/** The upload as its user sees it. */
export interface UploadState {
  readonly upload: Upload;
  readonly copy: ProviderCopy | undefined;
}

/** What {@link Uploads} uses. */
export interface UploadParts extends ForwarderParts {
  readonly lifecycle: Lifecycle;
  /** Requests that send bytes at the same time; each keeps one part in memory. */
  readonly atOnce: number;
}

/**
 * Uploads of users: into the store, part by part, and then to a provider. The row says how far an upload has come, so that any process
 * continues it. The store may have more than the row says, if a process ended in between; what it has is not sent again.
 */
export class Uploads {
  readonly #parts: UploadParts;
  readonly #admission: Admission;
  readonly #forwarder: Forwarder;

  constructor(parts: UploadParts) {
    this.#parts = parts;
    this.#admission = new Admission(parts.atOnce, 0, clock, "uploads-full");
    this.#forwarder = new Forwarder(parts);
  }

  async begin(user: User, upload: NewUpload): Promise<Upload> {
    return this.#parts.rows.begin(user, upload);
  }

  async list(user: User): Promise<readonly Upload[]> {
    return this.#parts.rows.list(user);
  }

  /** An upload that can be continued or was completed; undefined if the user has none of this identifier. @throws Gone */
  async find(user: User, id: string): Promise<Upload | undefined> {
    const upload = await this.#parts.rows.find(user, id);
    if (upload === undefined) return undefined;
    if (upload.status === "aborted") throw new Gone("the upload was ended without a file");
    if (upload.status === "completed" && upload.file === null) throw new Gone("the file was deleted");
    if (upload.status === "open" && upload.expired) throw new Gone("the upload has expired");
    // All has arrived, and the process ended before the file was made.
    if (upload.status === "open" && upload.received === upload.size) await this.#complete(user, upload);
    return upload;
  }

  /** How far an upload is. A copy on which no process works is continued by this one; with `again` also one that failed. */
  async state(user: User, id: string, again = false): Promise<UploadState | undefined> {
    const { rows } = this.#parts;
    await this.find(user, id).catch((error: unknown) => {
      if (!(error instanceof Gone)) throw error;
    });
    const upload = await rows.find(user, id);
    if (upload === undefined) return undefined;
    const copy = upload.status === "completed" ? await rows.copy(user, id) : undefined;
    if (copy !== undefined && (copy.stale || (again && copy.status === "failed")) && !this.#parts.lifecycle.leaving)
      if (await rows.claim(user, copy.id, { again })) this.#forwarder.add(user, upload, copy);
    return { upload, copy: copy !== undefined && again ? await rows.copy(user, id) : copy };
  }

  /**
   * Takes bytes from an offset on.
   *
   * @returns bytes that have arrived of the upload
   * @throws Refusal, Overtaken, Gone, Mismatch, TooLong; {@link Cut} if the body ended early, with all that came stored
   */
  async receive(user: User, upload: Upload, body: AsyncIterable<Buffer>): Promise<number> {
    const { rows, lifecycle } = this.#parts;
    const stopping = () => lifecycle.leaving;
    if (stopping()) throw new Refusal("stopping", 1 + Math.random());
    const leave = await this.#admission.enter();
    try {
      let received = upload.received;
      let storageUpload = upload.storageUpload;
      for await (const part of parts(body, received)) {
        if (received + part.bytes > upload.size) throw new TooLong(`the upload has ${String(upload.size)} bytes`);
        storageUpload ??= await this.#stored(() => this.#begin(user, upload));
        await this.#store(user, upload, storageUpload, received, part);
        await rows.partArrived(user, upload.id, received, { bytes: part.bytes, sha256: sha256(part) });
        received += part.bytes;
        // The next part is for the process that stays.
        if (stopping() && received < upload.size) throw new Refusal("stopping", 1 + Math.random());
      }
      if (received === upload.size) await this.#complete(user, upload);
      return received;
    } finally {
      leave();
    }
  }

  /**
   * Ends an upload without a file, or deletes the file that it became: at the provider, in the store, and then its row, so that a
   * deletion that fails can be repeated.
   *
   * @returns whether the user had such an upload
   * @throws Busy, Refusal
   */
  async remove(user: User, id: string): Promise<boolean> {
    const { rows, store, providers, policy } = this.#parts;
    const upload = await rows.find(user, id);
    if (upload === undefined) return false;
    if (upload.file !== null) {
      const copy = await rows.copy(user, upload.file);
      if (copy?.status === "pending" && !copy.stale) throw new Busy("the file is being sent to its provider");
      const { provider, providerFile = null } = copy ?? {};
      if (provider !== undefined && providerFile !== null)
        await retrying(policy, () => deleteAtProvider(provider, providers[provider], providerFile)).catch(notDeleted);
      await this.#stored(() => store.remove(pathOf(user, upload)));
      await rows.removeFile(user, upload.file);
      return true;
    }
    if (!(await rows.abort(user, id))) return false;
    const { storageUpload } = upload;
    if (storageUpload !== null) await this.#stored(() => store.abandon(storageUpload));
    return true;
  }

  /** Ends within some time; what is left another process continues. */
  async stop(milliseconds: number): Promise<void> {
    await this.#forwarder.stop(milliseconds);
  }

  async #begin(user: User, upload: Upload): Promise<string> {
    const { rows, store } = this.#parts;
    const made = await store.begin(pathOf(user, upload), upload.size, upload.mediaType ?? undefined);
    const counts = await rows.storedAs(user, upload.id, made);
    if (counts !== made) await store.abandon(made);
    return counts;
  }

  /** Brings a part into the store. After a failed try, the store says what it has of the part, and gets the rest. */
  async #store(user: User, upload: Upload, storageUpload: string, from: number, part: Part): Promise<void> {
    const { store } = this.#parts;
    let known: number | undefined = from;
    await this.#stored(async () => {
      const at: number | undefined = known ?? (await this.#inStore(user, upload, storageUpload));
      known = undefined;
      if (at === undefined || at < from) {
        await this.#parts.rows.abort(user, upload.id);
        throw new Gone("the object store has lost what had arrived");
      }
      if (at >= from + part.bytes) return;
      const now = await store.append(storageUpload, at, rest(part, at - from));
      if (now < from + part.bytes) throw new Transient("the object store took a part of what it was sent");
    });
  }

  /** Bytes that the store has of an upload; all of them if it made the object already. */
  async #inStore(user: User, upload: Upload, storageUpload: string): Promise<number | undefined> {
    const { store } = this.#parts;
    const received = await store.received(storageUpload);
    if (received !== undefined) return received;
    return (await store.size(pathOf(user, upload))) === upload.size ? upload.size : undefined;
  }

  /** Reads the object back, compares it with what was sent and said, and makes it the user's file. */
  async #complete(user: User, upload: Upload): Promise<void> {
    const { rows, store } = this.#parts;
    const path = pathOf(user, upload);
    const recorded = await rows.parts(user, upload.id);
    const hash = await this.#stored(async () => verified(await store.read(path), recorded));
    if (hash === undefined || (upload.sha256 !== null && upload.sha256 !== hash)) {
      if (await rows.abort(user, upload.id)) await this.#stored(() => store.remove(path));
      throw new Mismatch(
        hash === undefined ? "the object store has other bytes than were sent" : "the file has another SHA-256",
      );
    }
    if (!(await rows.complete(user, upload, hash))) return;
    const copy = await rows.copy(user, upload.id);
    if (copy !== undefined && (await rows.claim(user, copy.id, { fresh: true })))
      this.#forwarder.add(user, upload, copy);
  }

  /** Repeats what the store fails to do for the moment. @throws Refusal if it does not recover */
  async #stored<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await retrying(this.#parts.policy, work);
    } catch (error) {
      if (error instanceof Transient)
        throw new Refusal("store-down", error.retryAfter ?? 2 + 3 * Math.random(), { cause: error });
      if (error instanceof StoreRefusal) this.#parts.log.error("the object store refuses", { error: error.message });
      throw error;
    }
  }
}

/** A provider that does not take a deletion: the file stays until it does. */
function notDeleted(error: unknown): never {
  const again = error instanceof Transient ? (error.retryAfter ?? 2 + 3 * Math.random()) : 60;
  throw new Refusal("provider-down", again, { cause: error });
}

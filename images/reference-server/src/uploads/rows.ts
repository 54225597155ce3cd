import { randomUUID } from "node:crypto";
import type { Provider } from "../environment.ts";
import type { Database, User, UserTransaction } from "../database/database.ts";
import { takeToken } from "../database/rate-limits.ts";
import { knownUser } from "../database/records.ts";
import { Refusal } from "../database/unavailable.ts";
import { OPEN_UPLOADS } from "./limits.ts";
import type { RecordedPart } from "./parts.ts";
import { BUCKET } from "./store.ts";

/** What a user says about a file that is to come. */
export interface NewUpload {
  readonly name: string;
  readonly size: number;
  readonly mediaType: string | undefined;
  /** SHA-256 in hexadecimal, if the client knows it. */
  readonly sha256: string | undefined;
  /** Who gets a copy. */
  readonly provider: Provider | undefined;
}

/** An upload as its row has it. */
export interface Upload {
  readonly id: string;
  readonly name: string;
  readonly mediaType: string | null;
  readonly size: number;
  readonly received: number;
  readonly sha256: string | null;
  readonly provider: Provider | null;
  readonly status: "open" | "completed" | "aborted";
  /** The file that it became; null before that, and once the file was deleted. */
  readonly file: string | null;
  /** Identifier in the store; null until the first part. */
  readonly storageUpload: string | null;
  readonly expiresAt: Date;
  readonly expired: boolean;
}

/** A copy of a file at a provider. */
export interface ProviderCopy {
  readonly id: string;
  readonly provider: Provider;
  readonly providerFile: string | null;
  readonly status: "pending" | "uploaded" | "failed" | "deleted";
  readonly error: string | null;
  /** Whether no process works on it any more, though it is pending. */
  readonly stale: boolean;
}

/** One request to a provider's API for files. */
export interface ProviderTry {
  readonly provider: Provider;
  readonly outcome: "ok" | "error";
  readonly bytes: number;
  readonly milliseconds: number;
}

/** Another request has changed the upload meanwhile. */
export class Overtaken extends Error {
  override readonly name = "Overtaken";
}

/** Seconds after which a process that has said nothing works on a copy no more; {@link UploadRows.working} says it more often. */
const STALE_SECONDS = 30;

const COLUMNS = `id, name, media_type as "mediaType", size_bytes::float8 as size, received_bytes::float8 as received, sha256, provider,
  status, file_id as file, storage_upload as "storageUpload", expires_at as "expiresAt", expires_at <= now() as expired`;

/** Where the bytes of an upload lie in the bucket: the owner's folder, as the tables require it. */
export function pathOf(user: User, upload: Pick<Upload, "id">): string {
  return `${user.id}/${upload.id}`;
}

/** Uploads in the database, each under the rights of its user. Every method throws a `Refusal` if the database cannot take it now. */
export class UploadRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async begin(user: User, upload: NewUpload): Promise<Upload> {
    return this.#for(user, async (transaction) => {
      await takeToken(transaction, user.id, "uploads");
      const { asUser } = transaction;
      const [open] = await asUser<{ count: number; wait: number }>(
        `select count(*)::integer as count, extract(epoch from min(expires_at) - now())::float8 as wait
         from public.uploads where status = 'open' and expires_at > now()`,
      );
      if (open !== undefined && open.count >= OPEN_UPLOADS) throw new Refusal("open-uploads", open.wait);
      const { name, size, mediaType = null, sha256 = null, provider = null } = upload;
      const [row] = await asUser<Upload & Record<string, unknown>>(
        `insert into public.uploads (id, user_id, name, media_type, size_bytes, sha256, provider)
         values ($1, $2, $3, $4, $5, $6, $7) returning ${COLUMNS}`,
        [randomUUID(), user.id, name, mediaType, size, sha256, provider],
      );
      if (row === undefined) throw new Error("an upload was not inserted");
      return row;
    });
  }

  /** An upload of the user's; undefined if there is none. */
  async find(user: User, id: string): Promise<Upload | undefined> {
    return this.#for(user, async (transaction) => {
      await takeToken(transaction, user.id, "requests");
      return (await transaction.asUser<Upload & Record<string, unknown>>(`${SELECT} where id = $1`, [id]))[0];
    });
  }

  /** The user's newest uploads, at most 100. */
  async list(user: User): Promise<readonly Upload[]> {
    return this.#for(user, async (transaction) => {
      await takeToken(transaction, user.id, "requests");
      return transaction.asUser<Upload & Record<string, unknown>>(`${SELECT} order by created_at desc limit 100`);
    });
  }

  /** Notes where the store keeps an upload. @returns the identifier that counts, if another request was first */
  async storedAs(user: User, id: string, storageUpload: string): Promise<string> {
    return this.#for(user, async ({ asServer }) => {
      const update = `update public.uploads set storage_upload = $2 where id = $1 and storage_upload is null and status = 'open'`;
      const made = await asServer(`${update} returning id`, [id, storageUpload]);
      if (made.length > 0) return storageUpload;
      const [row] = await asServer<{ other: string | null }>(
        "select storage_upload as other from public.uploads where id = $1 and status = 'open'",
        [id],
      );
      const other = row?.other ?? undefined;
      if (other === undefined) throw new Overtaken("the upload has ended");
      return other;
    });
  }

  /** Records a part that the store has. @throws Overtaken */
  async partArrived(user: User, id: string, from: number, part: RecordedPart): Promise<void> {
    await this.#for(user, async ({ asServer }) => {
      const moved = await asServer(
        `update public.uploads set received_bytes = $3 where id = $1 and received_bytes = $2 and status = 'open' returning id`,
        [id, from, from + part.bytes],
      );
      if (moved.length === 0) throw new Overtaken("another request continues this upload");
      await asServer(
        `insert into public.upload_parts (upload_id, user_id, part_number, size_bytes, sha256)
         select $1, $2, count(*) + 1, $3, $4 from public.upload_parts where upload_id = $1`,
        [id, user.id, part.bytes, part.sha256],
      );
    });
  }

  /** The parts, in their order. */
  async parts(user: User, id: string): Promise<readonly RecordedPart[]> {
    return this.#for(user, ({ asUser }) =>
      asUser<RecordedPart & Record<string, unknown>>(
        "select size_bytes::float8 as bytes, sha256 from public.upload_parts where upload_id = $1 order by part_number",
        [id],
      ),
    );
  }

  /** Makes the file of an upload, which gets the upload's identifier. @returns whether no other request was first */
  async complete(user: User, upload: Upload, sha256: string): Promise<boolean> {
    return this.#for(user, async ({ asUser, asServer }) => {
      const path = pathOf(user, upload);
      const file = await asUser(
        `insert into public.files (id, user_id, name, media_type, size_bytes, sha256, storage_path)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning id`,
        [upload.id, user.id, upload.name, upload.mediaType, upload.size, sha256, path],
      );
      if (file.length === 0) return false;
      const ended = await asServer(
        `update public.uploads set status = 'completed', completed_at = now(), file_id = id where id = $1 and status = 'open' returning id`,
        [upload.id],
      );
      if (ended.length === 0) throw new Overtaken("the upload has ended");
      await asServer(
        `insert into public.storage_objects (user_id, file_id, bucket, path, etag, size_bytes) values ($1, $2, $3, $4, $5, $6)`,
        [user.id, upload.id, BUCKET, path, sha256, upload.size],
      );
      if (upload.provider !== null)
        await asServer("insert into public.provider_file_uploads (user_id, file_id, provider) values ($1, $2, $3)", [
          user.id,
          upload.id,
          upload.provider,
        ]);
      return true;
    });
  }

  /** Ends an upload without a file. @returns whether it was open */
  async abort(user: User, id: string): Promise<boolean> {
    return this.#for(user, async ({ asServer }) => {
      const sql = "update public.uploads set status = 'aborted' where id = $1 and status = 'open' returning id";
      return (await asServer(sql, [id])).length > 0;
    });
  }

  /** Removes a file whose bytes are deleted; what says that they are stays. */
  async removeFile(user: User, file: string): Promise<void> {
    await this.#for(user, async ({ asUser, asServer }) => {
      await asServer("update public.storage_objects set deleted_at = now() where file_id = $1", [file]);
      await asServer("update public.provider_file_uploads set status = 'deleted' where file_id = $1", [file]);
      await asUser("delete from public.files where id = $1", [file]);
    });
  }

  /** The copy of a file at its provider. */
  async copy(user: User, file: string): Promise<ProviderCopy | undefined> {
    return this.#for(user, async ({ asUser }) => {
      const [copy] = await asUser<ProviderCopy & Record<string, unknown>>(
        `select id, provider, provider_file_id as "providerFile", status, error, status = 'pending' and ${STALE} as stale
         from public.provider_file_uploads where file_id = $1 order by created_at desc limit 1`,
        [file],
      );
      return copy;
    });
  }

  /**
   * Takes over a copy that no other process works on: a new one, one whose process ended or has said nothing for a while, and with `again`
   * one that failed.
   *
   * @returns whether it is now this process' own
   */
  async claim(user: User, id: string, { again = false, fresh = false } = {}): Promise<boolean> {
    return this.#for(user, async ({ asServer }) => {
      const taken = await asServer(
        `update public.provider_file_uploads set status = 'pending', error = null
         where id = $1 and (status = 'pending' and ($2 or ${STALE}) or status = 'failed' and $3) returning id`,
        [id, fresh, again],
      );
      return taken.length > 0;
    });
  }

  /** Says that this process still works on a copy. */
  async working(user: User, id: string): Promise<void> {
    await this.#for(user, ({ asServer }) =>
      asServer("update public.provider_file_uploads set status = 'pending' where id = $1 and status = 'pending'", [id]),
    );
  }

  async copied(user: User, id: string, providerFile: string): Promise<void> {
    await this.#for(user, ({ asServer }) =>
      asServer(
        `update public.provider_file_uploads set status = 'uploaded', provider_file_id = $2, uploaded_at = now(), error = null where id = $1`,
        [id, providerFile],
      ),
    );
  }

  /** @param final false: another process may continue */
  async notCopied(user: User, id: string, error: string, final: boolean): Promise<void> {
    await this.#for(user, ({ asServer }) =>
      asServer("update public.provider_file_uploads set status = $2, error = left($3, 4000) where id = $1", [
        id,
        final ? "failed" : "pending",
        error,
      ]),
    );
  }

  /** Records a request to a provider. */
  async tried(user: User, { provider, outcome, bytes, milliseconds }: ProviderTry): Promise<void> {
    await this.#for(user, ({ asServer }) =>
      asServer(
        `insert into public.provider_usage (id, user_id, provider, model, operation, outcome, bytes, duration_ms)
         values ($1, $2, $3, 'files', 'upload', $4, $5, $6)`,
        [randomUUID(), user.id, provider, outcome, bytes, Math.round(milliseconds)],
      ),
    );
  }

  async #for<Result>(user: User, work: (transaction: UserTransaction) => Promise<Result>): Promise<Result> {
    return knownUser(() => this.#database.forUser(user, work));
  }
}

const SELECT = `select ${COLUMNS} from public.uploads`;

const STALE = `(error is not null or updated_at < now() - interval '${STALE_SECONDS} s')`;

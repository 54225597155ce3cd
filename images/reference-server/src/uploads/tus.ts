import type { IncomingMessage, ServerResponse } from "node:http";
import { SERVER_PATHS } from "../../../../contract/server.ts";
import { readMetadata, TUS_VERSION, wholeNumber } from "../../../../contract/storage/tus.ts";
import type { User } from "../database/database.ts";
import { UnknownUser } from "../database/records.ts";
import { Refusal, retryAfterHeader } from "../database/unavailable.ts";
import { PROVIDERS, type Environment, type Provider } from "../environment.ts";
import type { Callers } from "../users/caller.ts";
import { sendAnswer, type ApiAnswer } from "../users/conversations.ts";
import { LARGEST_FILE, objection } from "./limits.ts";
import { Cut } from "./parts.ts";
import { Overtaken, type NewUpload, type Upload } from "./rows.ts";
import { StoreRefusal } from "./store.ts";
import { Busy, Gone, Mismatch, TooLong, type UploadState, type Uploads } from "./uploads.ts";

/** A request that cannot succeed unchanged. */
class Wrong extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * `/api/uploads`: resumable uploads by tus 1.0 (https://tus.io/protocols/resumable-upload) with the extensions creation, expiration and
 * termination. The location of an upload is `?id=…`. GET, which is not of tus, answers with JSON: all uploads of the user, or the
 * progress of one; POST to a location sends the file to its provider again.
 */
export async function handleUploads(
  request: IncomingMessage,
  response: ServerResponse,
  { providers }: Pick<Environment, "providers">,
  callers: Callers,
  uploads: Uploads | undefined,
): Promise<void> {
  response.setHeader("tus-resumable", TUS_VERSION);
  try {
    if (uploads === undefined) throw new Wrong(404, "no-uploads", "this server has no database or no object store");
    if (request.method === "OPTIONS") {
      response.setHeader("tus-version", TUS_VERSION).setHeader("tus-max-size", LARGEST_FILE);
      response.setHeader("tus-extension", "creation,expiration,termination").writeHead(204).end();
      return;
    }
    const caller = await callers.of(request, "files");
    if (caller.kind !== "user") {
      response.setHeader("www-authenticate", 'Bearer realm="exai"');
      if (caller.kind === "refused") throw new Wrong(caller.status, "token", caller.reason);
      throw new Wrong(401, "token", "a token whose subject is an account, or an API key, is required");
    }
    const answer = await answerTo(request, response, caller.user, providers, uploads);
    if (answer === undefined) response.end();
    else sendAnswer(response, answer);
  } catch (error) {
    // No one reads the answer any more.
    if (error instanceof Cut) response.destroy();
    else sendAnswer(response, refusalOf(error));
    // Node drops what is left of a body only if none of it was read.
    request.resume();
  }
}

async function answerTo(
  request: IncomingMessage,
  response: ServerResponse,
  user: User,
  providers: Environment["providers"],
  uploads: Uploads,
): Promise<ApiAnswer | undefined> {
  const { method, headers } = request;
  const id = new URLSearchParams(request.url?.split("?", 2)[1]).get("id");
  if (id !== null && !UUID.test(id)) throw absent();
  if (method === "GET") {
    if (id === null) return { status: 200, body: { uploads: (await uploads.list(user)).map((each) => shown(each)) } };
    return described(await uploads.state(user, id));
  }
  if (headers["tus-resumable"] !== TUS_VERSION) {
    response.setHeader("tus-version", TUS_VERSION);
    throw new Wrong(412, "tus-version", `the header tus-resumable must be ${TUS_VERSION}`);
  }
  if (method === "POST") {
    if (id !== null) return described(await uploads.state(user, id, true));
    const upload = await uploads.begin(user, readNew(headers, providers));
    response.setHeader("location", `${SERVER_PATHS.uploads}?id=${upload.id}`);
    offered(response, upload, 0).writeHead(201, { "content-length": 0 });
    return undefined;
  }
  if (!["HEAD", "PATCH", "DELETE"].includes(method ?? "")) {
    response.setHeader("allow", "OPTIONS, GET, HEAD, POST, PATCH, DELETE");
    throw new Wrong(405, "method", "method not allowed");
  }
  if (id === null) throw absent();
  if (method === "DELETE") {
    if (!(await uploads.remove(user, id))) throw absent();
    response.writeHead(204);
    return undefined;
  }
  const upload = await uploads.find(user, id);
  if (upload === undefined) throw absent();
  if (method === "HEAD") {
    response.setHeader("upload-length", upload.size).setHeader("cache-control", "no-store");
    offered(response, upload, upload.received).writeHead(200);
    return undefined;
  }
  checkPatch(headers, upload);
  const received = await uploads.receive(user, upload, request.iterator({ destroyOnReturn: false }));
  offered(response, upload, received).writeHead(204);
  return undefined;
}

function offered(response: ServerResponse, { expiresAt }: Upload, received: number): ServerResponse {
  return response.setHeader("upload-offset", received).setHeader("upload-expires", expiresAt.toUTCString());
}

function checkPatch(headers: IncomingMessage["headers"], upload: Upload): void {
  if (headers["content-type"] !== "application/offset+octet-stream")
    throw new Wrong(415, "content-type", "the content type of a part is application/offset+octet-stream");
  const offset = wholeNumber(headers["upload-offset"]);
  if (offset === undefined) throw new Wrong(400, "upload-offset", "the header upload-offset is not a number");
  if (offset !== upload.received)
    throw new Wrong(409, "offset", `the upload continues at ${String(upload.received)}, not at ${String(offset)}`);
  if (offset + (wholeNumber(headers["content-length"]) ?? 0) > upload.size)
    throw new TooLong(`the upload has ${String(upload.size)} bytes`);
}

/** The upload that the headers of a creation describe. @throws Wrong */
export function readNew(headers: IncomingMessage["headers"], providers: Environment["providers"]): NewUpload {
  const size = wholeNumber(headers["upload-length"]);
  if (size === undefined || size === 0)
    throw new Wrong(400, "upload-length", "the header upload-length is not the size of a file that has bytes");
  const metadata = readMetadata(headers["upload-metadata"]);
  const name = metadata.get("filename") ?? "";
  if (name === "" || name.length > 500 || /[\0-\x1f\x7f]/.test(name))
    throw new Wrong(400, "filename", "upload-metadata has no filename of 1 to 500 printable characters");
  const mediaType = metadata.get("filetype");
  if (mediaType !== undefined && !/^[\w.+-]{1,99}\/[\w.+-]{1,99}$/.test(mediaType))
    throw new Wrong(400, "filetype", "the filetype in upload-metadata is not a media type");
  const sha256 = metadata.get("sha256")?.toLowerCase();
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256))
    throw new Wrong(400, "sha256", "the sha256 in upload-metadata is not a SHA-256 in hexadecimal");
  const provider = readProvider(metadata.get("provider"), providers);
  const problem = objection(name, size, provider);
  if (problem !== undefined) throw new Wrong(problem.status, problem.reason, problem.error);
  return { name, size, mediaType, sha256, provider };
}

function readProvider(name: string | undefined, providers: Environment["providers"]): Provider | undefined {
  if (name === undefined) return undefined;
  const provider = PROVIDERS.find((known) => known === name);
  if (provider === undefined) throw new Wrong(400, "provider", `the provider is one of ${PROVIDERS.join(", ")}`);
  if (providers[provider].apiKey === undefined)
    throw new Wrong(
      400,
      "provider",
      `${provider} gets no files: the setting ${provider.toUpperCase()}_API_KEY is missing`,
    );
  return provider;
}

function absent(): Wrong {
  return new Wrong(404, "not-found", "there is no such upload");
}

function described(state: UploadState | undefined): ApiAnswer {
  if (state === undefined) throw absent();
  const { upload, copy } = state;
  const { status, providerFile, error } = copy ?? {};
  const provider = copy === undefined ? {} : { copy: { provider: copy.provider, status, providerFile, error } };
  return { status: 200, body: { ...shown(upload), ...provider } };
}

function shown(upload: Upload): Record<string, unknown> {
  const { id, name, size, received, provider, file, expiresAt } = upload;
  return { id, name, size, received, status: statusOf(upload), provider, file, expiresAt };
}

function statusOf({ status, expired, file }: Upload): string {
  if (status === "open" && expired) return "expired";
  return status === "completed" && file === null ? "deleted" : status;
}

/** What each error is answered with. 460 is tus' own status for bytes that are not those that were announced. */
const KNOWN: readonly (readonly [(error: Error) => boolean, number, string])[] = [
  [(error) => error instanceof UnknownUser, 403, "account"],
  [(error) => error instanceof Overtaken, 409, "offset"],
  [(error) => error instanceof Busy, 409, "busy"],
  [(error) => error instanceof Gone, 410, "gone"],
  [(error) => error instanceof TooLong, 413, "too-large"],
  [(error) => error instanceof StoreRefusal && error.status === 413, 413, "too-large"],
  [(error) => error instanceof Mismatch, 460, "checksum"],
];

function refusalOf(error: unknown): ApiAnswer {
  if (error instanceof Refusal)
    return {
      status: error.status,
      headers: {
        "retry-after": retryAfterHeader(error),
        // What of the request's body is still to come need not be read.
        ...(error.reason === "stopping" ? { connection: "close" } : {}),
      },
      body: { error: error.message, reason: error.reason },
    };
  if (error instanceof Wrong) return { status: error.status, body: { error: error.message, reason: error.reason } };
  if (!(error instanceof Error)) throw error;
  const known = KNOWN.find(([of]) => of(error));
  if (known === undefined) throw error;
  const [, status, reason] = known;
  return { status, body: { error: error.message, reason } };
}

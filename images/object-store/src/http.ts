import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { readMetadata, TUS_VERSION, wholeNumber } from "../../../contract/storage/tus.ts";
import { Objects, StoreError } from "./objects.ts";
import { roleOf } from "./token.ts";

const RESUMABLE = "/storage/v1/upload/resumable";
const OBJECT = "/storage/v1/object/";

type Answer = (request: IncomingMessage, response: ServerResponse, rest: string) => Promise<void>;

/**
 * The part of Supabase's Storage API that the server uses: buckets, resumable uploads by tus 1.0, and objects. Only the service role gets
 * in: at Supabase, a bucket without policies is closed to all others too.
 */
export function createStore(objects: Objects, secret: string): Server {
  const routes: readonly (readonly [method: string, prefix: string, answer: Answer])[] = [
    ["POST", "/storage/v1/bucket", createBucket(objects)],
    ["POST", RESUMABLE, begin(objects)],
    ["HEAD", RESUMABLE, progress(objects)],
    ["PATCH", RESUMABLE, append(objects)],
    ["DELETE", RESUMABLE, abandon(objects)],
    ["GET", OBJECT, read(objects)],
    ["HEAD", OBJECT, read(objects)],
    ["DELETE", OBJECT, remove(objects)],
  ];
  return createServer((request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    const answered = async () => {
      if (path === "/status") {
        response.writeHead(200).end();
        return;
      }
      const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "";
      const role = roleOf(token, secret, Date.now() / 1000);
      if (role === undefined) throw new StoreError(401, "the token is not valid");
      if (role !== "service_role") throw new StoreError(403, "new row violates row-level security policy");
      const route = routes.find(([method, prefix]) => method === request.method && path.startsWith(prefix));
      if (route === undefined) throw new StoreError(404, "no such path");
      await route[2](request, response, decodeURIComponent(path.slice(route[1].length)));
    };
    answered().catch((error: unknown) => {
      refuse(request, response, error);
    });
  });
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const { code } = error as { code?: unknown };
  // A body that was cut has no one who waits for an answer.
  const cut = code === "ERR_STREAM_PREMATURE_CLOSE" || code === "ECONNRESET";
  if (response.headersSent || cut || (request.destroyed && !request.complete)) {
    response.destroy();
    return;
  }
  const full = code === "ENOSPC";
  const status = error instanceof StoreError ? error.status : full ? 507 : 500;
  if (status >= 500)
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  const message = error instanceof StoreError ? error.message : full ? "the volume is full" : "internal error";
  send(response, status, { statusCode: String(status), error: message, message });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function createBucket(objects: Objects): Answer {
  return async (request, response) => {
    let text = "";
    for await (const chunk of request) {
      text += String(chunk);
      if (text.length > 10_000) throw new StoreError(413, "the body is too long");
    }
    const { id } = JSON.parse(text) as { id?: unknown };
    if (typeof id !== "string") throw new StoreError(400, "a bucket needs an id");
    await objects.createBucket(id);
    send(response, 200, { name: id });
  };
}

function begin(objects: Objects): Answer {
  return async (request, response) => {
    const { headers } = request;
    const metadata = readMetadata(headers["upload-metadata"]);
    const size = wholeNumber(headers["upload-length"]);
    const [bucket = "", name = ""] = ["bucketName", "objectName"].map((key) => metadata.get(key));
    if (size === undefined || bucket.includes("/") || bucket === "" || name === "" || /(^|\/)\.{1,2}(\/|$)/.test(name))
      throw new StoreError(400, "an upload needs a length, a bucket and a name");
    const contentType = metadata.get("contentType") ?? "application/octet-stream";
    const id = await objects.begin({ bucket, name, size, contentType }, headers["x-upsert"] === "true");
    response
      .writeHead(201, { "tus-resumable": TUS_VERSION, location: `${RESUMABLE}/${id}`, "content-length": 0 })
      .end();
  };
}

function progress(objects: Objects): Answer {
  return async (_request, response, rest) => {
    const { info, received } = await objects.progress(rest.slice(1));
    const headers = { "upload-offset": received, "upload-length": info.size, "cache-control": "no-store" };
    response.writeHead(200, { "tus-resumable": TUS_VERSION, ...headers }).end();
  };
}

function append(objects: Objects): Answer {
  return async (request, response, rest) => {
    if (request.headers["content-type"] !== "application/offset+octet-stream")
      throw new StoreError(415, "the content type is not that of a part");
    const offset = wholeNumber(request.headers["upload-offset"]);
    if (offset === undefined) throw new StoreError(400, "a part needs an offset");
    const received = await objects.append(rest.slice(1), offset, request.iterator({ destroyOnReturn: false }));
    response.writeHead(204, { "tus-resumable": TUS_VERSION, "upload-offset": received }).end();
  };
}

function abandon(objects: Objects): Answer {
  return async (_request, response, rest) => {
    await objects.abandon(rest.slice(1));
    response.writeHead(204, { "tus-resumable": TUS_VERSION }).end();
  };
}

function read(objects: Objects): Answer {
  return async (request, response, rest) => {
    const [bucket, name] = place(rest);
    const info = await objects.find(bucket, name);
    if (info === undefined) throw new StoreError(404, "Object not found");
    response.writeHead(200, { "content-type": info.contentType, "content-length": info.size });
    if (request.method === "HEAD") response.end();
    else await pipeline(objects.read(bucket, name), response);
  };
}

function remove(objects: Objects): Answer {
  return async (_request, response, rest) => {
    await objects.remove(...place(rest));
    send(response, 200, { message: "Successfully deleted" });
  };
}

function place(rest: string): [bucket: string, name: string] {
  const slash = rest.indexOf("/");
  return [rest.slice(0, slash), rest.slice(slash + 1)];
}

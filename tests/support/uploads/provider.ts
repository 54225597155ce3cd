import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readForm } from "./form.ts";

/** A file that the provider was sent. */
export interface ProviderFile {
  readonly purpose: string | undefined;
  readonly name: string;
  readonly sha256: string;
}

/** Speaks the used part of an OpenAI-compatible API, on this machine. */
export class Provider {
  readonly files: ProviderFile[] = [];
  /** Identifiers of the files that it was asked to delete. */
  readonly deleted: (string | undefined)[] = [];
  /** How many of the next files it is too busy for. */
  busy = 0;
  readonly #http = createServer((request, response) => {
    void this.#answer(request, response);
  });

  /** @returns its base URL */
  async open(): Promise<string> {
    this.#http.listen(0, "127.0.0.1");
    await once(this.#http, "listening");
    return `http://127.0.0.1:${String((this.#http.address() as AddressInfo).port)}/v1`;
  }

  close(): void {
    this.#http.closeAllConnections();
    this.#http.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === "DELETE") {
      this.deleted.push(request.url?.replace("/v1/files/", ""));
      response.end("{}");
      return;
    }
    const body = Buffer.concat((await request.toArray()) as Buffer[]);
    if (request.url === "/v1/files") this.#keep(body, request, response);
    else chat(body, response);
  }

  #keep(body: Buffer, request: IncomingMessage, response: ServerResponse): void {
    if (this.busy > 0) {
      this.busy -= 1;
      response.writeHead(429, { "retry-after": "1" }).end();
      return;
    }
    const { fields, fileName, file } = readForm(body, request.headers["content-type"]);
    const sha256 = createHash("sha256").update(file).digest("hex");
    this.files.push({ purpose: fields.purpose, name: fileName, sha256 });
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ id: `file-${String(this.files.length)}`, bytes: file.length, status: "ok" }));
  }
}

/** Answers a prompt with itself; the prompt `fail` with an error. */
function chat(body: Buffer, response: ServerResponse): void {
  const { messages } = JSON.parse(body.toString()) as { messages: { content: string }[] };
  const content = messages[0]?.content ?? "";
  if (content === "fail") {
    response.writeHead(500).end();
    return;
  }
  const usage = { prompt_tokens: 7, completion_tokens: 11 };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ choices: [{ message: { content: `read: ${content}` } }], usage }));
}

import { setTimeout as sleep } from "node:timers/promises";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { signToken } from "../../../tests/integration/reference-server/harness.ts";

/** Key for tokens of the servers of a bench. */
export const TOKEN_KEY = "a key for tokens of at least thirty-two bytes";

/** Identifier of a user of a bench. */
export function user(index: number): string {
  return `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
}

/** One user's client. */
export class Uploader {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, id: string) {
    this.#url = url;
    const token = signToken(TOKEN_KEY, { sub: id, exp: Math.floor(Date.now() / 1000) + 3600 });
    this.#headers = { authorization: `Bearer ${token}`, "tus-resumable": "1.0.0" };
  }

  /** @returns the location of the upload */
  async begin(size: number, provider: string): Promise<string> {
    const metadata = { filename: "file.pdf", provider };
    const encoded = Object.entries(metadata).map(([name, value]) => `${name} ${Buffer.from(value).toString("base64")}`);
    const response = await this.#ask("POST", SERVER_PATHS.uploads, {
      "upload-length": String(size),
      "upload-metadata": encoded.join(","),
    });
    if (response.status !== 201) throw new Error(`an upload was refused: ${await response.text()}`);
    return response.headers.get("location") ?? "";
  }

  /** Sends bytes from an offset on. @returns the status of the answer */
  async send(location: string, offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    const headers = { "upload-offset": String(offset), "content-type": "application/offset+octet-stream" };
    return (await this.#ask("PATCH", location, headers, bytes)).status;
  }

  /** Waits for the end of the copy to the provider. @returns whether the provider has it */
  async copied(location: string, seconds: number): Promise<boolean> {
    for (const deadline = performance.now() + seconds * 1000; performance.now() < deadline;) {
      const { copy } = (await (await this.#ask("GET", location)).json()) as { copy?: { status: string } };
      if (copy?.status === "uploaded") return true;
      if (copy?.status === "failed") return false;
      await sleep(500);
    }
    return false;
  }

  async read(): Promise<Response> {
    return this.#ask("GET", SERVER_PATHS.conversations);
  }

  /** Repeats a request until it is answered. @param interval seconds; undefined: those of `retry-after` @returns the tries */
  async readUntilAnswered(interval: number | undefined): Promise<number> {
    for (let tries = 1; ; tries += 1) {
      const response = await this.read();
      await response.arrayBuffer();
      if (response.status === 200) return tries;
      if (response.status !== 503) throw new Error(`a request ended with ${String(response.status)}`);
      await sleep(1000 * (interval ?? Number(response.headers.get("retry-after"))));
    }
  }

  async #ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: Uint8Array<ArrayBuffer>,
  ): Promise<Response> {
    return fetch(this.#url + path, {
      method,
      headers: { ...this.#headers, ...headers },
      ...(body === undefined ? {} : { body }),
    });
  }
}

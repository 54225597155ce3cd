import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createStore } from "../../../images/object-store/src/http.ts";
import { Objects } from "../../../images/object-store/src/objects.ts";
import { cutAfter } from "./cut-after.ts";

/** The object store of `local`, which can be made to fail. */
export class FailingStore {
  /** How many of the next parts it breaks in the middle. */
  brokenParts = 0;
  /** Whether it closes each connection without an answer. */
  down = false;
  readonly objects: Objects;
  readonly #directory = mkdtempSync(join(tmpdir(), "exai-store-"));
  readonly #http;

  /** @param secret key of its tokens */
  constructor(secret: string) {
    this.objects = new Objects(this.#directory);
    const real = createStore(this.objects, secret);
    this.#http = createServer((request, response) => {
      if (this.down) {
        response.destroy();
        return;
      }
      real.emit("request", request, response);
      if (request.method !== "PATCH" || this.brokenParts === 0) return;
      this.brokenParts -= 1;
      cutAfter(request, 1_000_000);
    });
  }

  /** @returns its URL */
  async open(): Promise<string> {
    await this.objects.prepare();
    this.#http.listen(0, "127.0.0.1");
    await once(this.#http, "listening");
    return `http://127.0.0.1:${String((this.#http.address() as AddressInfo).port)}`;
  }

  close(): void {
    this.#http.closeAllConnections();
    this.#http.close();
    rmSync(this.#directory, { recursive: true });
  }
}

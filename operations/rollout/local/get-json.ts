import { get, type IncomingHttpHeaders } from "node:http";

/** An answer with status 200. */
export interface JsonAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/**
 * Reads JSON from a plain HTTP address. Not by `fetch`: loading it takes longer than all else that a rollback does before
 * the users are back.
 *
 * @throws Error when the signal ends it, or there is another status than 200
 */
export function getJson(url: URL, signal: AbortSignal): Promise<JsonAnswer> {
  return new Promise((resolve, reject) => {
    const request = get(url, { signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode !== 200) {
          reject(new Error(`HTTP ${String(response.statusCode)}`));
          return;
        }
        try {
          const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
          resolve({ headers: response.headers, body });
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
    request.on("error", reject);
  });
}

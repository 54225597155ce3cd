import type { IncomingMessage, ServerResponse } from "node:http";
import type { Callers } from "./caller.ts";
import { UnknownUser, type Records } from "../database/records.ts";
import { Refusal, retryAfterHeader } from "../database/unavailable.ts";

/** Answers of the API for users, before they are sent. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * GET `/api/conversations`: the caller's conversations; with `?id=…` the messages of one. 401 without a user, 403 for one without an
 * account, or with an API key for other things, 429 and 503 with `retry-after`.
 */
export async function conversations(
  request: IncomingMessage,
  callers: Callers,
  records: Records | undefined,
): Promise<ApiAnswer> {
  if (records === undefined) return { status: 404, body: { error: "this server has no database" } };
  const id = new URLSearchParams(request.url?.split("?", 2)[1]).get("id");
  try {
    const caller = await callers.of(request, "chat");
    if (caller.kind !== "user") {
      const { status, reason } =
        caller.kind === "refused"
          ? caller
          : ({ status: 401, reason: "a token whose subject is an account, or an API key, is required" } as const);
      return { status, headers: { "www-authenticate": 'Bearer realm="exai"' }, body: { error: reason } };
    }
    if (id === null) return { status: 200, body: { conversations: await records.conversations(caller.user) } };
    const messages = UUID.test(id) ? await records.messages(caller.user, id) : undefined;
    if (messages === undefined) return { status: 404, body: { error: "there is no such conversation" } };
    return { status: 200, body: { id, messages } };
  } catch (error) {
    if (error instanceof UnknownUser) return { status: 403, body: { error: error.message } };
    if (error instanceof Refusal)
      return {
        status: error.status,
        headers: { "retry-after": retryAfterHeader(error) },
        body: { error: error.message, reason: error.reason },
      };
    throw error;
  }
}

/** Sends it. */
export function sendAnswer(response: ServerResponse, { status, headers, body }: ApiAnswer): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "cache-control": "no-store",
    "content-length": Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

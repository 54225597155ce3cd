import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";

/** The revision of MCP that the probes speak. */
const PROTOCOL_VERSION = "2025-06-18";

const EVENT_STREAM = "text/event-stream";

/** Status of `GET /mcp` on a server that offers no event stream. */
const NO_STREAM = 405;

/** An unexpected HTTP answer to a probe. */
export class ProbeError extends Error {
  override readonly name = "ProbeError";
}

/**
 * A small MCP client over Streamable HTTP: opens a session, calls a tool, opens the event stream and ends the session. The
 * official SDK hides the headers that the probes check.
 */
export class McpProbe {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #signal: () => AbortSignal;
  readonly #answered: (status: number) => void;
  #session: string | undefined;
  #id = 0;
  /** The slot of the last answer. */
  servedBy: string | undefined;

  /** @param answered receives each HTTP status that the protocol does not leave to the server. */
  constructor(
    routerUrl: string,
    headers: Readonly<Record<string, string>>,
    signal: () => AbortSignal,
    answered: (status: number) => void = () => undefined,
  ) {
    this.#url = new URL(SERVER_PATHS.mcp, routerUrl);
    this.#headers = headers;
    this.#signal = signal;
    this.#answered = answered;
  }

  /** Identifier as the client sees it, with the slot as its prefix. */
  get session(): string | undefined {
    return this.#session;
  }

  /** Opens the session. @throws ProbeError */
  async initialize(): Promise<void> {
    await this.request("initialize", {
      protocolVersion: PROTOCOL_VERSION,
      capabilities: {},
      clientInfo: { name: "exai-rollout", version: "1" },
    });
    await this.#post({ jsonrpc: "2.0", method: "notifications/initialized" });
  }

  /** @throws ProbeError on an HTTP error and on a JSON-RPC error. */
  async request(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<Record<string, unknown>> {
    this.#id += 1;
    const text = await this.#post({ jsonrpc: "2.0", id: this.#id, method, params });
    const message = parseAnswer(text, this.#id);
    if (message?.result === undefined) throw new ProbeError(`${method}: ${text.slice(0, 200)}`);
    return message.result;
  }

  /**
   * Opens the session's event stream, and closes it as soon as it has begun. A server without one answers 405 (MCP
   * 2025-06-18, Transports, "Listening for Messages from the Server").
   *
   * @returns whether the server has one.
   * @throws ProbeError on any other answer.
   */
  async listen(): Promise<boolean> {
    const headers = { ...this.#allHeaders(), accept: EVENT_STREAM };
    const response = await fetch(this.#url, { headers, signal: this.#signal() });
    this.servedBy = response.headers.get(HEADERS.servedBy) ?? undefined;
    const { ok, status } = response;
    const type = response.headers.get("content-type") ?? "no content type";
    const isStream = type.toLowerCase().startsWith(EVENT_STREAM);
    let text = "";
    // A stream does not end.
    if (isStream) await response.body?.cancel();
    else text = await response.text();
    if (status === NO_STREAM) return false;
    this.#answered(status);
    if (!ok) throw new ProbeError(`HTTP ${String(status)}: ${text.slice(0, 200)}`);
    if (!isStream) throw new ProbeError(`${type} instead of ${EVENT_STREAM}`);
    return true;
  }

  /** Ends the session. */
  async end(): Promise<void> {
    const response = await fetch(this.#url, { method: "DELETE", headers: this.#allHeaders(), signal: this.#signal() });
    await response.arrayBuffer();
  }

  async #post(body: unknown): Promise<string> {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: { ...this.#allHeaders(), "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: this.#signal(),
    });
    const text = await response.text();
    this.servedBy = response.headers.get(HEADERS.servedBy) ?? undefined;
    this.#answered(response.status);
    if (!response.ok) throw new ProbeError(`HTTP ${String(response.status)}: ${text.slice(0, 200)}`);
    this.#session = response.headers.get(HEADERS.mcpSessionId) ?? this.#session;
    return text;
  }

  #allHeaders(): Record<string, string> {
    return {
      ...this.#headers,
      accept: `application/json, ${EVENT_STREAM}`,
      ...(this.#session === undefined
        ? {}
        : { [HEADERS.mcpSessionId]: this.#session, "mcp-protocol-version": PROTOCOL_VERSION }),
    };
  }
}

interface Answer {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
}

/** Parses an answer in either form that a server may choose, JSON or an event stream. */
function parseAnswer(text: string, id: number): Answer | undefined {
  const candidates = text.startsWith("{")
    ? [text]
    : [...text.matchAll(/^data: ?(.*)$/gm)].map((match) => match[1] ?? "");
  for (const candidate of candidates) {
    try {
      const message = JSON.parse(candidate) as Answer;
      if (message.id === id) return message;
    } catch {
      continue; // a comment or an empty event
    }
  }
  return undefined;
}

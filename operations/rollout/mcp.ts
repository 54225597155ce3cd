import { HEADERS, SERVER_PATHS } from "../../contract/server.ts";

/** The revision of MCP that the probes speak. */
const PROTOCOL_VERSION = "2025-06-18";

/** An HTTP answer that a probe did not expect. */
export class ProbeError extends Error {
  override readonly name = "ProbeError";
}

/**
 * A small MCP client over Streamable HTTP: enough to open a session, call a tool and end it. The official SDK would
 * hide the headers that the probes have to see.
 */
export class McpProbe {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #signal: () => AbortSignal;
  #session: string | undefined;
  #id = 0;
  /** The colour that answered last. */
  servedBy: string | undefined;

  constructor(routerUrl: string, headers: Readonly<Record<string, string>>, signal: () => AbortSignal) {
    this.#url = new URL(SERVER_PATHS.mcp, routerUrl);
    this.#headers = headers;
    this.#signal = signal;
  }

  /** Identifier as the client sees it, colour in front. */
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

  /** @throws ProbeError on an HTTP status that is no success, and on a JSON-RPC error. */
  async request(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<Record<string, unknown>> {
    this.#id += 1;
    const text = await this.#post({ jsonrpc: "2.0", id: this.#id, method, params });
    const message = parseAnswer(text, this.#id);
    if (message?.result === undefined) throw new ProbeError(`${method}: ${text.slice(0, 200)}`);
    return message.result;
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
    if (!response.ok) throw new ProbeError(`HTTP ${String(response.status)}: ${text.slice(0, 200)}`);
    this.#session = response.headers.get(HEADERS.mcpSessionId) ?? this.#session;
    return text;
  }

  #allHeaders(): Record<string, string> {
    return {
      ...this.#headers,
      accept: "application/json, text/event-stream",
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

/** The answer may come as JSON or as an event stream, as the server likes. */
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

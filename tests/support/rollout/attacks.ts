import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket, type ClientOptions } from "ws";
import { ACCESS, accessHeaders, accessKey, accessToken } from "../../../contract/envoy/access.ts";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";
import { rawRequest, sendRaw } from "./raw-http.ts";
import type { StackFacts } from "./stack.ts";

/** Whom an outsider attacks: the slot that is the candidate, or idle. */
const SLOT = "green";

/** Where an attempt goes. */
export type Target = StackFacts & {
  /** Those of a tester; an outsider has none. */
  readonly headers?: Readonly<Record<string, string>>;
};

/** One attempt; it may take as long as it likes until the signal. */
export type Attack = (stack: StackFacts, signal: AbortSignal) => Promise<unknown>;

const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "outsider", version: "1" } },
});
const JSON_HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

async function get(stack: Target, path: string, headers: Record<string, string> = {}, method = "GET") {
  const signal = AbortSignal.timeout(10_000);
  const response = await fetch(new URL(path, stack.routerUrl), {
    ...{ method, signal, redirect: "manual" },
    headers: { ...headers, ...stack.headers },
  });
  await response.arrayBuffer();
  return response;
}

/** A user's session on the slot: opened again until the weights give one. */
async function session(stack: StackFacts): Promise<string | undefined> {
  const url = new URL(SERVER_PATHS.mcp, stack.routerUrl);
  const response = await fetch(url, { method: "POST", headers: JSON_HEADERS, body: INITIALIZE });
  await response.text();
  const id = response.headers.get(HEADERS.mcpSessionId) ?? "";
  return id.startsWith(`${SLOT}.`) ? id : undefined;
}

/** Opens a WebSocket, and uses it if the slot answers. */
async function onSlot(
  stack: Target,
  use: (socket: WebSocket) => void,
  { headers, ...options }: ClientOptions = {},
): Promise<void> {
  const socket = new WebSocket(stack.webSocketUrl, { ...options, headers: { ...headers, ...stack.headers } });
  let slot: unknown;
  socket.on("upgrade", (response) => (slot = response.headers[HEADERS.servedBy]));
  socket.on("error", () => undefined);
  socket.on("open", () => {
    if (slot === SLOT) use(socket);
    else socket.close();
  });
  await sleep(1500);
  socket.terminate();
}

const forged = accessKey("a secret of another stack", 1);
const soon = (): number => Math.floor(Date.now() / 1000) + 600;
const expired = accessToken(forged, { slot: SLOT, audience: "probe", expires: 1 });

/** What an outsider may send to turn a gate against the candidate, or to shield it. */
export const FLOODS: Readonly<Record<string, Attack>> = {
  "unknown paths": (stack) => get(stack, `/no-such-${String(Math.random())}`),
  "unknown paths on a slot by the header": (stack) => get(stack, "/nothing", { [HEADERS.pinned]: SLOT }),
  "sessions that the slot does not know": (stack) =>
    get(stack, SERVER_PATHS.mcp, { ...JSON_HEADERS, [HEADERS.mcpSessionId]: `${SLOT}.none` }, "DELETE"),
  "broken JSON-RPC in a session of the slot": async (stack) => {
    const id = await session(stack);
    if (id === undefined) return;
    const headers = { ...JSON_HEADERS, [HEADERS.mcpSessionId]: id };
    for (let count = 0; count < 10; count += 1)
      await (
        await fetch(new URL(SERVER_PATHS.mcp, stack.routerUrl), { method: "POST", headers, body: "{" })
      ).arrayBuffer();
  },
  "broken JSON-RPC without a session": (stack) =>
    fetch(new URL(SERVER_PATHS.mcp, stack.routerUrl), { method: "POST", headers: JSON_HEADERS, body: "[{}" }),
  "requests that are aborted": async (stack) => {
    await sendRaw(stack.routerUrl, rawRequest("GET /api/metrics HTTP/1.1"), 1);
  },
  "bodies that never end": (stack) =>
    sendRaw(stack.routerUrl, rawRequest("POST /mcp HTTP/1.1", ["Content-Length: 1000"], "{"), 3000),
  "answers that are read slowly, on the slot": async (stack) => {
    const response = await fetch(new URL(SERVER_PATHS.dashboard, stack.routerUrl));
    if (response.headers.get(HEADERS.servedBy) === SLOT) await sleep(2000);
    await response.arrayBuffer();
  },
  "WebSockets that answer no ping, on the slot": (stack) => onSlot(stack, () => undefined, { autoPong: false }),
  "WebSockets with garbage, on the slot": (stack) =>
    onSlot(stack, (socket) => {
      socket.send("no JSON");
      socket.send(Buffer.alloc(2_000_000));
    }),
  "WebSockets with a frame that breaks the protocol": (stack) =>
    sendRaw(
      stack.webSocketUrl,
      rawRequest(
        "GET / HTTP/1.1",
        [
          "Upgrade: websocket",
          "Connection: Upgrade",
          "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ],
        "\xff\xff\xff\xff",
      ),
    ),
  "handshakes without a key": (stack) =>
    sendRaw(stack.webSocketUrl, rawRequest("GET / HTTP/1.1", ["Upgrade: websocket", "Connection: Upgrade"])),
  "handshakes that are left half-open": (stack) =>
    sendRaw(stack.webSocketUrl, "GET / HTTP/1.1\r\nHost: exai.test\r\nUpgrade: websocket\r\n", 3000),
  "headers of 40 kB": (stack) =>
    sendRaw(stack.routerUrl, rawRequest("GET / HTTP/1.1", [`X-Large: ${"a".repeat(40_000)}`])),
  "HTTP/1.0 and garbage": async (stack) => {
    await sendRaw(stack.routerUrl, "GET / HTTP/1.0\r\n\r\n");
    await sendRaw(stack.routerUrl, "\x16\x03\x01\x02 garbage\r\n\r\n");
  },
  "a time-out of a millisecond": (stack) =>
    get(stack, "/api/metrics", { "x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-expected-rq-timeout-ms": "1" }),
  "its own retries": (stack) => get(stack, "/none", { "x-envoy-retry-on": "4xx,5xx", "x-envoy-max-retries": "50" }),
  "a forged address in the network": (stack) =>
    get(stack, "/none", { "x-forwarded-for": "10.0.0.1", "x-envoy-internal": "true" }),
  "tokens of another key": (stack) => get(stack, "/", { ...accessHeaders(expired) }),
  "cookies of a probe": (stack) => get(stack, "/none", { cookie: `${ACCESS.cookie}=${expired}; slot=${SLOT}` }),
  "the router's administration": (stack) => get(stack, "/config_dump"),
  "methods that are not in use": (stack) => sendRaw(stack.routerUrl, rawRequest("TRACE / HTTP/1.1")),
  "expectations without a body": (stack) =>
    sendRaw(stack.routerUrl, rawRequest("POST /mcp HTTP/1.1", ["Expect: 100-continue", "Content-Length: 5"]), 2000),
  "WebSockets with a wrong token": (stack) =>
    onSlot(stack, () => undefined, { headers: { authorization: "Bearer none" } }),
};

/** Sends a request as text, with the headers of the target after its first line. */
async function raw(stack: Target, text: string): Promise<string> {
  const own = Object.entries(stack.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
  return sendRaw(stack.routerUrl, text.replace("\r\n", `\r\n${own.join("")}`));
}

/** Ways into an idle slot: what is sent, to which listener. */
export const WAYS_IN: Readonly<Record<string, (stack: Target) => Promise<unknown>>> = {
  ...Object.fromEntries(
    [SLOT, `${SLOT}-tester`, `${SLOT}-probe`].map((value) => [
      `the internal header with ${value}`,
      (stack: Target) => get(stack, "/", { [HEADERS.pinned]: value, [HEADERS.sessionSlot]: SLOT }),
    ]),
  ),
  "the internal header twice": (stack) =>
    raw(stack, rawRequest("GET / HTTP/1.1", ["x-exai-slot: a", `X-EXAI-SLOT: ${SLOT}-tester`])),
  "the internal header with an underscore": (stack) => get(stack, "/", { x_exai_slot: `${SLOT}-tester` }),
  "the internal header in a trailer": (stack) =>
    raw(
      stack,
      rawRequest("POST /mcp HTTP/1.1", ["Transfer-Encoding: chunked"], `0\r\nx-exai-slot: ${SLOT}-tester\r\n\r\n`),
    ),
  "the internal header on the WebSocket port": (stack) =>
    onSlot(stack, () => undefined, { headers: { [HEADERS.pinned]: `${SLOT}-tester` } }),
  "the router's own header for its listeners": (stack) => get(stack, "/", { "x-exai-listener": "websocket" }),
  "a session to begin one": (stack) =>
    fetch(new URL(SERVER_PATHS.mcp, stack.routerUrl), {
      method: "POST",
      headers: { ...JSON_HEADERS, [HEADERS.mcpSessionId]: `${SLOT}.none`, ...stack.headers },
      body: INITIALIZE,
    }),
  "a session's event stream": (stack) =>
    get(stack, SERVER_PATHS.mcp, { accept: "text/event-stream", [HEADERS.mcpSessionId]: `${SLOT}.none` }),
  "a token of another key": (stack) =>
    get(stack, "/", { ...accessHeaders(accessToken(forged, { slot: SLOT, audience: "tester", expires: soon() })) }),
  "a token without a signature": (stack) => get(stack, "/", { ...accessHeaders(unsigned("none")) }),
  "a token that claims another algorithm": (stack) => get(stack, "/", { ...accessHeaders(unsigned("HS256")) }),
  "a token in the query": (stack) =>
    get(stack, `/?${ACCESS.cookie}=${unsigned("none")}&access_token=${unsigned("none")}`),
  "a bearer token": (stack) => get(stack, "/", { authorization: `Bearer ${unsigned("none")}` }),
  "a cookie": (stack) => get(stack, "/", { cookie: `${ACCESS.cookie}=${unsigned("none")}` }),
  "an empty cookie": (stack) => get(stack, "/", { cookie: `${ACCESS.cookie}=` }),
  "the slot as the host": (stack) => raw(stack, "GET / HTTP/1.1\r\nHost: server-green:8080\r\n\r\n"),
  "the slot as an absolute target": (stack) => raw(stack, rawRequest("GET http://server-green:8080/ HTTP/1.1")),
  "a tunnel to the slot": (stack) =>
    raw(stack, "CONNECT server-green:8080 HTTP/1.1\r\nHost: server-green:8080\r\n\r\n"),
  "another path to the same": (stack) => raw(stack, rawRequest("GET //server-green/..%2f%2e%2e/ HTTP/1.1")),
  "a smuggled request": (stack) =>
    raw(
      stack,
      rawRequest(
        "POST / HTTP/1.1",
        ["Content-Length: 6", "Transfer-Encoding: chunked"],
        `0\r\n\r\n${rawRequest("GET / HTTP/1.1", [`x-exai-slot: ${SLOT}-tester`])}`,
      ),
    ),
  "a clear-text upgrade to HTTP/2": (stack) =>
    raw(
      stack,
      rawRequest("GET / HTTP/1.1", [
        "Upgrade: h2c",
        "Connection: Upgrade, HTTP2-Settings",
        "HTTP2-Settings: AAMAAABk",
        `x-exai-slot: ${SLOT}-tester`,
      ]),
    ),
};

function unsigned(alg: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg, typ: "JWT" })}.${part({ iss: ACCESS.issuer, pin: `${SLOT}-tester`, exp: soon() })}.AAAA`;
}

/** All floods at once, some of each per second, until it is stopped. */
export class Outsider {
  readonly #stop = new AbortController();
  readonly #work: readonly Promise<void>[];
  /** Attempts of each flood so far. */
  readonly attempts: Record<string, number> = {};

  constructor(stack: StackFacts, perSecond = 4) {
    this.#work = Object.entries(FLOODS).map(([name, attack]) => this.#flood(stack, name, attack, perSecond));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#work);
  }

  async #flood(stack: StackFacts, name: string, attack: Attack, perSecond: number): Promise<void> {
    const { signal } = this.#stop;
    const flying = new Set<Promise<unknown>>();
    while (!signal.aborted) {
      this.attempts[name] = (this.attempts[name] ?? 0) + 1;
      const attempt = attack(stack, signal).catch(() => undefined);
      flying.add(attempt);
      void attempt.then(() => flying.delete(attempt));
      await sleep(1000 / perSecond, undefined, { signal }).catch(() => undefined);
    }
    await Promise.all(flying);
  }
}

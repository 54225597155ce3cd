import { randomUUID } from "node:crypto";
import { WebSocket } from "ws";
import type { Slot } from "../../../contract/slots.ts";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";
import type { RolloutContext } from "../ports/context.ts";
import { McpProbe, ProbeError } from "./mcp.ts";

/** One smoke check that has passed. */
export interface SmokeCheck {
  readonly name: string;
  readonly milliseconds: number;
  readonly detail: string;
}

/** A smoke check failed. */
export class SmokeError extends Error {
  override readonly name = "SmokeError";
  readonly check: string;
  readonly problem: string;

  constructor(check: string, problem: string) {
    super(`${check}: ${problem}`);
    this.check = check;
    this.problem = problem;
  }
}

/**
 * Uses the candidate as its users will, through the router with a probe's token: health, readiness, metrics, an MCP
 * session with a tool call, its event stream, a WebSocket, the dashboard's WebSocket.
 *
 * @throws SmokeError if a check fails.
 */
export async function* smokeTest(context: RolloutContext, slot: Slot): AsyncGenerator<SmokeCheck, void, void> {
  const checks: readonly (readonly [string, () => Promise<string>])[] = [
    [SERVER_PATHS.health, () => httpCheck(context, slot, SERVER_PATHS.health)],
    [SERVER_PATHS.ready, () => httpCheck(context, slot, SERVER_PATHS.ready)],
    [
      SERVER_PATHS.metrics,
      () => httpCheck(context, slot, SERVER_PATHS.metrics, /^# TYPE \S+ (counter|gauge|histogram)/m),
    ],
    ["MCP session and tool call", () => mcpCheck(context, slot)],
    ["MCP event stream", () => streamCheck(context, slot)],
    ["WebSocket round trip", () => webSocketCheck(context, slot)],
    ["dashboard's WebSocket", () => dashboardCheck(context, slot)],
  ];
  for (const [name, check] of checks) {
    const started = performance.now();
    let detail: string;
    try {
      detail = await check();
    } catch (error) {
      context.signal.throwIfAborted();
      throw new SmokeError(name, error instanceof Error ? error.message : String(error));
    }
    yield { name, milliseconds: performance.now() - started, detail };
  }
}

function limit(context: RolloutContext): AbortSignal {
  return AbortSignal.any([context.signal, AbortSignal.timeout(context.deadlines.smokeSeconds * 1000)]);
}

async function httpCheck(context: RolloutContext, slot: Slot, path: string, expected?: RegExp): Promise<string> {
  const url = new URL(path, context.routerUrl);
  const response = await fetch(url, { headers: await context.access.probe(slot), signal: limit(context) });
  const body = await response.text();
  if (!response.ok) throw new ProbeError(`HTTP ${String(response.status)}`);
  checkSlot(response.headers.get(HEADERS.servedBy), slot);
  if (expected !== undefined && !expected.test(body)) throw new ProbeError("no metric in Prometheus text format");
  return `HTTP ${String(response.status)}`;
}

async function mcpCheck(context: RolloutContext, slot: Slot): Promise<string> {
  const probe = new McpProbe(context.routerUrl, await context.access.probe(slot), () => limit(context));
  await probe.initialize();
  checkSlot(probe.servedBy, slot);
  if (probe.session?.startsWith(`${slot}.`) !== true) {
    throw new ProbeError(`the session identifier does not begin with "${slot}."`);
  }
  const { tools } = (await probe.request("tools/list")) as { tools?: readonly Tool[] };
  const tool = tools?.find((each) => each.name === "echo") ?? tools?.find(takesNothing);
  if (tool === undefined) throw new ProbeError("no tool that can be called without arguments, and none named echo");
  const said = randomUUID();
  const result = await probe.request("tools/call", {
    name: tool.name,
    arguments: tool.name === "echo" ? { text: said } : {},
  });
  if (result.isError === true) throw new ProbeError(`the tool ${tool.name} answered with an error`);
  if (tool.name === "echo" && !JSON.stringify(result).includes(said)) throw new ProbeError("echo does not echo");
  await probe.end();
  return `tool ${tool.name}`;
}

/** The stream that MCP clients hold open for messages of the server. */
async function streamCheck(context: RolloutContext, slot: Slot): Promise<string> {
  const probe = new McpProbe(context.routerUrl, await context.access.probe(slot), () => limit(context));
  await probe.initialize();
  let stream: boolean;
  try {
    stream = await probe.listen();
    checkSlot(probe.servedBy, slot);
  } finally {
    await probe.end().catch(() => undefined);
  }
  return stream ? "open" : "HTTP 405: the server has none";
}

interface Tool {
  readonly name: string;
  readonly inputSchema?: { readonly required?: readonly string[] };
}

function takesNothing(tool: Tool): boolean {
  return (tool.inputSchema?.required ?? []).length === 0;
}

/** A ping frame and its pong (RFC 6455, 5.5.2), which every WebSocket server answers. */
async function webSocketCheck(context: RolloutContext, slot: Slot): Promise<string> {
  const token = await context.webSocketToken?.();
  const headers = {
    ...(await context.access.probe(slot)),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const signal = limit(context);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(context.webSocketUrl, { headers });
    const payload = Buffer.from(randomUUID());
    const fail = (error: unknown): void => {
      socket.terminate();
      reject(error instanceof Error ? error : new ProbeError(String(error)));
    };
    const abort = (): void => {
      fail(new ProbeError("no answer in time"));
    };
    signal.addEventListener("abort", abort, { once: true });
    let sentAt = 0;
    socket.on("upgrade", (response) => {
      const servedBy = response.headers[HEADERS.servedBy];
      if (servedBy !== slot) fail(new ProbeError(`answered by ${String(servedBy)}`));
    });
    socket.on("open", () => {
      sentAt = performance.now();
      socket.ping(payload);
    });
    socket.on("pong", (data) => {
      if (!data.equals(payload)) return;
      signal.removeEventListener("abort", abort);
      socket.close(1000);
      resolve(`pong after ${(performance.now() - sentAt).toFixed(1)} ms`);
    });
    socket.on("error", fail);
    socket.on("close", (code) => {
      fail(new ProbeError(`closed with ${String(code)}`));
    });
  });
}

/** Opens the dashboard's WebSocket. A server without monitoring, or with another login, answers 4xx. */
async function dashboardCheck(context: RolloutContext, slot: Slot): Promise<string> {
  const url = new URL(SERVER_PATHS.dashboardWebSocket, context.routerUrl.replace(/^http/, "ws"));
  const signal = limit(context);
  const socket = new WebSocket(url, { headers: await context.access.probe(slot) });
  const abort = (): void => {
    socket.terminate();
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      socket.on("unexpected-response", (request, response) => {
        request.destroy();
        const status = response.statusCode ?? 0;
        const answer = `HTTP ${String(status)}`;
        if (status >= 400 && status < 500) resolve(`${answer}: the server has no dashboard`);
        else reject(new ProbeError(answer));
      });
      socket.on("open", () => {
        socket.close(1000);
        resolve("open");
      });
      socket.on("error", reject);
      socket.on("close", (code) => {
        reject(new ProbeError(signal.aborted ? "no answer in time" : `closed with ${String(code)}`));
      });
    });
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function checkSlot(servedBy: string | null | undefined, slot: Slot): void {
  if (servedBy !== slot) throw new ProbeError(`answered by ${servedBy ?? "an unknown slot"}, not by ${slot}`);
}

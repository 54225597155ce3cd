import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";
import { conversations, sendAnswer } from "./users/conversations.ts";
import type { Dashboard } from "./dashboard.ts";
import { DASHBOARD_PAGE, DASHBOARD_POLICY } from "./dashboard-page.ts";
import type { Records } from "./database/records.ts";
import type { Environment } from "./environment.ts";
import type { FaultInjector } from "./fault-injector.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Log } from "./log.ts";
import type { McpSessions } from "./mcp.ts";
import type { Metrics } from "./metrics.ts";
import { isSameSite } from "./origin.ts";
import type { Callers } from "./users/caller.ts";
import { handleUploads } from "./uploads/tus.ts";
import type { Uploads } from "./uploads/uploads.ts";
import { refuseUpgrade } from "./websocket.ts";

/** Label of all unknown paths: clients must not be able to create series. */
const OTHER_ROUTE = "other";

/**
 * How long an unused connection is kept, in milliseconds: longer than Envoy keeps it in its pool (one hour), so that
 * Envoy, never this server, closes it and no request meets a connection that is just being closed.
 */
const KEEP_ALIVE_MS = 65 * 60_000;

/** Dependencies of the HTTP server. */
export interface HttpParts {
  readonly environment: Environment;
  readonly faults: FaultInjector;
  readonly lifecycle: Lifecycle;
  readonly metrics: Metrics;
  readonly sessions: McpSessions;
  readonly dashboard: Dashboard;
  readonly log: Log;
  readonly callers: Callers;
  /** Absent without a database. */
  readonly records?: Records | undefined;
  /** Absent without a database or an object store. */
  readonly uploads?: Uploads | undefined;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Answers with a body of known length, which spares the chunked encoding. */
function send(response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, body: string): void {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, { "content-type": "application/json", "cache-control": "no-store" }, JSON.stringify(body));
}

/** A handler for GET and HEAD only. */
function reading(handler: Handler): Handler {
  return (request, response) => {
    if (request.method === "GET" || request.method === "HEAD") return handler(request, response);
    response.setHeader("allow", "GET, HEAD");
    sendJson(response, 405, { error: "method not allowed" });
  };
}

function createRoutes({
  environment,
  faults,
  lifecycle,
  metrics,
  sessions,
  callers,
  records,
  uploads,
}: HttpParts): ReadonlyMap<string, Handler> {
  const { release, slot = null } = environment;
  const monitored = (handler: Handler): Handler =>
    reading((request, response) => {
      if (environment.monitoring) return handler(request, response);
      sendJson(response, 404, { error: "monitoring is off (MONITORING_ENABLED)" });
    });
  return new Map<string, Handler>([
    [
      SERVER_PATHS.health,
      reading((_request, response) => {
        sendJson(response, 200, { status: "alive", release, slot });
      }),
    ],
    [
      SERVER_PATHS.ready,
      reading((_request, response) => {
        const { phase } = lifecycle;
        const database = records === undefined ? {} : { database: records.state };
        // A database that does not answer is down for both slots, and users who do not need it are still served.
        const misconfigured = records?.isMisconfigured === true;
        if (records !== undefined && records.state !== "up") void records.probe();
        if (phase === "serving" && faults.ready() && !misconfigured)
          sendJson(response, 200, { status: "ready", release, slot, ...database });
        else sendJson(response, 503, { status: phase === "serving" ? "starting" : phase, release, slot, ...database });
      }),
    ],
    [
      SERVER_PATHS.metrics,
      monitored(async (_request, response) => {
        send(response, 200, { "content-type": metrics.registry.contentType }, await metrics.registry.metrics());
      }),
    ],
    [
      SERVER_PATHS.apiMetrics,
      monitored(async (_request, response) => {
        sendJson(response, 200, await metrics.summary());
      }),
    ],
    [
      SERVER_PATHS.conversations,
      reading(async (request, response) => {
        sendAnswer(response, await conversations(request, callers, records));
      }),
    ],
    [SERVER_PATHS.uploads, (request, response) => handleUploads(request, response, environment, callers, uploads)],
    [
      SERVER_PATHS.dashboard,
      monitored((_request, response) => {
        const headers = {
          "content-type": "text/html; charset=utf-8",
          "content-security-policy": DASHBOARD_POLICY,
          "x-content-type-options": "nosniff",
          "referrer-policy": "no-referrer",
        };
        send(response, 200, headers, DASHBOARD_PAGE);
      }),
    ],
    [
      SERVER_PATHS.mcp,
      (request, response) => {
        const { origin, host } = request.headers;
        if (!isSameSite({ origin, host }, environment.productionOrigin)) {
          sendJson(response, 403, { error: "this origin may not use MCP" });
          return;
        }
        return sessions.handle(request, response, lifecycle.accepting);
      },
    ],
  ]);
}

/** Routes of probes and monitoring: faults do not affect them, so that a bad release is judged by user traffic. */
const PROBED: ReadonlySet<string> = new Set([SERVER_PATHS.health, SERVER_PATHS.ready, SERVER_PATHS.metrics]);

/** Requests that take as long as their client wants. */
const STREAMS: ReadonlyMap<string, string> = new Map([
  [SERVER_PATHS.mcp, "GET"],
  [SERVER_PATHS.uploads, "PATCH"],
]);

/** The HTTP server of the contract; not listening yet. */
export function createHttpServer(parts: HttpParts): Server {
  const { environment, faults, lifecycle, metrics, dashboard, log } = parts;
  const routes = createRoutes(parts);

  const answer = async (path: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (faults.touchesRequests && !PROBED.has(path)) {
      const status = await faults.beforeRequest(path === SERVER_PATHS.mcp && request.method === "GET");
      if (status !== undefined) {
        request.resume();
        sendJson(response, status, { error: "failed by EXAI_FAULTS" });
        return;
      }
    }
    const handler = routes.get(path);
    if (handler) await handler(request, response);
    else sendJson(response, 404, { error: "no such path" });
  };

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    const started = performance.now();
    const [path = "/"] = (request.url ?? "/").split("?", 1);
    const route = routes.has(path) ? path : OTHER_ROUTE;
    const method = request.method ?? "GET";
    response.setHeader(HEADERS.release, environment.release);
    if (lifecycle.leaving) response.setHeader("connection", "close");
    response.once("close", () => {
      const seconds = (performance.now() - started) / 1000;
      const stream = STREAMS.get(route) === method;
      metrics.request(method, route, response.statusCode, stream ? undefined : seconds);
      if (log.debugging) log.debug("request", { method, path, status: response.statusCode, seconds });
    });
    answer(path, request, response).catch((error: unknown) => {
      log.error("a request failed", { method, path, error: error instanceof Error ? error.stack : String(error) });
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: "internal error" });
    });
  });

  server.on("upgrade", (request, socket, head) => {
    const [path] = (request.url ?? "/").split("?", 1);
    if (path === SERVER_PATHS.dashboardWebSocket && environment.monitoring) dashboard.upgrade(request, socket, head);
    else refuseUpgrade(socket, "404 Not Found", "no WebSocket here", environment.release);
  });
  return server;
}

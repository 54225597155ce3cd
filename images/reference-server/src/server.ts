import { once } from "node:events";
import type { Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv-provider.js";
import { UserError } from "../../../contract/errors.ts";
import { LISTEN_BACKLOG } from "../../../contract/server.ts";
import { Dashboard } from "./dashboard.ts";
import { Database } from "./database/database.ts";
import { Recorder } from "./database/recorder.ts";
import { Records } from "./database/records.ts";
import type { Environment } from "./environment.ts";
import { createFaultInjector } from "./fault-injector.ts";
import { createHttpServer } from "./http.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { Log } from "./log.ts";
import { McpSessions } from "./mcp.ts";
import { createMetrics } from "./metrics.ts";
import { createMcpServer } from "./tools.ts";
import { ApiKeys } from "./users/api-keys.ts";
import { Callers } from "./users/caller.ts";
import { UploadRows } from "./uploads/rows.ts";
import { ObjectStore } from "./uploads/store.ts";
import { Uploads } from "./uploads/uploads.ts";
import { EchoWebSockets } from "./websocket.ts";

/** Share of the time after the lame-duck delay over which WebSockets and event streams are closed; the rest is for the close handshakes. */
const CLOSING_SHARE = 0.8;

/** Interval of the checks whether a drain is complete, in milliseconds. */
const DRAIN_POLL_MS = 50;

/** A listening server. */
export interface RunningServer {
  /** Drains all clients; resolves when the last is gone or the grace period is over, with the number of closed connections. */
  drain(): Promise<{ readonly cutWebSockets: number; readonly cutRequests: number }>;
}

async function listen(server: Server, port: number, host: string, variable: string): Promise<void> {
  server.listen({ port, host, backlog: LISTEN_BACKLOG });
  try {
    await once(server, "listening");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UserError(
      "failed",
      variable,
      `cannot listen on ${host}:${port} (${code})`,
      `set ${variable} to a free port`,
    );
  }
}

/** Open connections of a server. */
async function connections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}

/** Starts everything. Throws a `UserError` when a port is taken. `crash` ends the process at once. */
export async function startServer(
  environment: Environment,
  version: string,
  log: Log,
  crash: () => void,
): Promise<RunningServer> {
  const lifecycle = new Lifecycle();
  const faults = createFaultInjector(environment.faults, log, crash);
  const metrics = createMetrics({ version, release: environment.release, slot: environment.slot });
  const validator = new AjvJsonSchemaValidator();
  const { database, release, slot, jwtKeys } = environment;
  const recorder = database?.recordingSocket === undefined ? undefined : new Recorder(database.recordingSocket, log);
  const pool = database && new Database(database, log, recorder);
  const records = pool && new Records(pool, { release, version, slot }, log);
  if (records) metrics.database(() => ({ state: records.state, ...records.load }));
  const callers = new Callers(jwtKeys, environment.keyCheckSeconds * 1000, pool && new ApiKeys(pool, database));
  const sessions = new McpSessions(
    (recording) => createMcpServer(environment, version, metrics, validator, recording),
    metrics.mcpSessions,
    records && callers,
    records,
  );
  const { store, providers } = environment;
  const { atOnce, attempts } = environment.uploads;
  const uploads =
    pool &&
    store &&
    new Uploads({
      rows: new UploadRows(pool),
      store: new ObjectStore(store),
      policy: { attempts, first: 0.2, most: 10 },
      ...{ providers, metrics, log, lifecycle, atOnce },
    });
  const dashboard = new Dashboard(environment, faults, lifecycle, metrics, log);
  const webSockets = new EchoWebSockets({ environment, faults, lifecycle, metrics, log, callers });
  const http = createHttpServer({
    environment,
    faults,
    lifecycle,
    metrics,
    sessions,
    dashboard,
    log,
    callers,
    records,
    uploads,
  });
  for (const server of [http, webSockets.server]) server.on("connection", faults.connected);
  if (environment.jwtKeys.length === 0) log.warning("EXAI_JWT_TOKEN is not set: WebSockets need no token");
  await listen(webSockets.server, environment.wsPort, environment.wsHost, "EXAI_WS_PORT");
  await listen(http, environment.httpPort, environment.httpHost, "EXAI_HTTP_PORT");
  await records?.start();
  faults.start();
  lifecycle.enter("serving");

  return {
    async drain() {
      const deadline = performance.now() + environment.graceSeconds * 1000;
      lifecycle.enter("lame-duck");
      await sleep(environment.lameDuckSeconds * 1000);
      lifecycle.enter("draining");
      http.close();
      webSockets.server.close();
      const windowMs = Math.max(0, deadline - performance.now()) * CLOSING_SHARE;
      sessions.endStreams(windowMs);
      webSockets.closeAll(windowMs);
      dashboard.closeAll(windowMs);
      const left = async () => (await connections(http)) + (await connections(webSockets.server));
      while ((await left()) > 0 && performance.now() < deadline) {
        // A connection whose last response was sent is idle now, and Node does not close it.
        http.closeIdleConnections();
        webSockets.server.closeIdleConnections();
        await sleep(DRAIN_POLL_MS);
      }
      const cut = { cutWebSockets: webSockets.size, cutRequests: await connections(http) };
      webSockets.terminateAll();
      dashboard.terminateAll();
      await sessions.close();
      await uploads?.stop(Math.max(0, deadline - performance.now()));
      await records?.stop();
      http.closeAllConnections();
      return cut;
    },
  };
}

import { request as httpRequest } from "node:http";
import { WebSocket } from "ws";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";
import { McpProbe } from "../../../operations/rollout/probes/mcp.ts";

type Headers = Readonly<Record<string, string>>;

/** A client's event stream or dashboard, which lasts until a side closes it. */
export interface OpenStream {
  /** The slot that the router says has answered. */
  readonly servedBy: string | undefined;
  /** Has the server end it, or ends it, and waits for that. */
  end(): Promise<void>;
}

/** Status of `GET /mcp` with these headers; where it is an event stream, it is left at once. */
export async function streamStatus(routerUrl: string, headers: Headers): Promise<number> {
  return (await openStream(routerUrl, headers)).leave();
}

/** An MCP session with its event stream. It ends with the session: the server closes it, and the router sees its whole length. */
export async function openSession(routerUrl: string, headers: Headers = {}): Promise<OpenStream> {
  const client = new McpProbe(routerUrl, headers, () => AbortSignal.timeout(10_000));
  await client.initialize();
  const session = { [HEADERS.mcpSessionId]: client.session ?? "" };
  const stream = await openStream(routerUrl, { ...headers, ...session });
  if (stream.status !== 200) throw new Error(`GET /mcp: HTTP ${String(stream.leave())}`);
  return {
    servedBy: stream.servedBy,
    end: async () => {
      await client.end();
      await stream.ended;
    },
  };
}

/** The dashboard's WebSocket. */
export async function openDashboard(routerUrl: string, headers: Headers = {}): Promise<OpenStream> {
  const url = new URL(SERVER_PATHS.dashboardWebSocket, routerUrl.replace(/^http/, "ws"));
  const socket = new WebSocket(url, { headers });
  let servedBy: string | undefined;
  socket.on("upgrade", ({ headers: answered }) => {
    servedBy = String(answered[HEADERS.servedBy]);
  });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return {
    servedBy,
    end: () =>
      new Promise((resolve) => {
        socket.once("close", () => {
          resolve();
        });
        socket.close(1000);
      }),
  };
}

interface Answer {
  readonly status: number;
  readonly servedBy: string | undefined;
  readonly ended: Promise<void>;
  /** Goes away; returns the status. */
  leave(): number;
}

function openStream(routerUrl: string, headers: Headers): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(new URL(SERVER_PATHS.mcp, routerUrl), {
      headers: { ...headers, accept: "text/event-stream" },
    });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      const { statusCode: status = 0 } = response;
      response.resume();
      response.on("error", () => undefined);
      resolve({
        status,
        servedBy: response.headers[HEADERS.servedBy] as string | undefined,
        ended: new Promise((done) => {
          response.once("close", done);
        }),
        leave: () => {
          outgoing.destroy();
          return status;
        },
      });
    });
    outgoing.end();
  });
}

import {
  createServer,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

/** The target of the requests. */
export interface Target {
  /** Address and agent. */
  readonly options: RequestOptions;
  /** Prefix of the client's path. @default "" */
  readonly prefix?: string;
  /** Replace the client's headers of the same names. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A port of the loopback address that is forwarded to a target in a cluster. */
export interface ForwardedPort {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Opens a port of this machine's loopback address that forwards HTTP and WebSockets, so that probes and gates use a
 * cluster's router and Prometheus like local ones. It is open as long as the command runs.
 */
export async function forwardPort(target: () => Promise<Target>): Promise<ForwardedPort> {
  const passOn = async (incoming: IncomingMessage): Promise<ClientRequest> => {
    const { options, prefix = "", headers } = await target();
    const send = options.protocol === "https:" ? httpsRequest : httpRequest;
    return send({
      ...options,
      method: incoming.method,
      path: `${prefix}${incoming.url ?? "/"}`,
      headers: { ...incoming.headers, ...headers },
    });
  };
  const server = createServer((incoming, response) => {
    const fail = (error: unknown): void => {
      if (!response.headersSent) response.writeHead(502, { "content-type": "text/plain" });
      response.end(error instanceof Error ? error.message : String(error));
    };
    passOn(incoming).then((outgoing) => {
      outgoing.on("response", (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.headers);
        // An event stream may send nothing for a long time, but its client waits for the headers.
        response.flushHeaders();
        answer.pipe(response);
        answer.on("error", () => response.destroy());
      });
      outgoing.on("error", fail);
      response.on("close", () => outgoing.destroy());
      incoming.pipe(outgoing);
    }, fail);
  });
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    passOn(incoming).then(
      (outgoing) => {
        outgoing.on("upgrade", (answer, upstream, upstreamHead) => {
          socket.write(headOf(answer));
          if (upstreamHead.length > 0) socket.write(upstreamHead);
          if (head.length > 0) upstream.write(head);
          upstream.pipe(socket).pipe(upstream);
          upstream.on("error", () => socket.destroy());
          upstream.on("close", () => socket.destroy());
          socket.on("close", () => upstream.destroy());
        });
        // The upgrade was refused: the client gets the answer.
        outgoing.on("response", (answer) => {
          socket.write(headOf(answer));
          answer.pipe(socket);
        });
        outgoing.on("error", () => socket.destroy());
        outgoing.end();
      },
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Status line and headers, unchanged. */
function headOf(answer: IncomingMessage): string {
  const headers = Array.from({ length: answer.rawHeaders.length / 2 }, (_, index) => {
    const [name = "", value = ""] = answer.rawHeaders.slice(index * 2, index * 2 + 2);
    return `${name}: ${value}\r\n`;
  });
  const { httpVersion, statusCode = 502, statusMessage = "" } = answer;
  return `HTTP/${httpVersion} ${String(statusCode)} ${statusMessage}\r\n${headers.join("")}\r\n`;
}

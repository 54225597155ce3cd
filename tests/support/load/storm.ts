import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Users who come in one moment, each with one WebSocket and one GET. */
export interface StormOptions {
  readonly host: string;
  readonly port: number;
  /** Value of the `Host` header, and the server name of TLS. @default host */
  readonly hostname?: string;
  /** Speaks TLS, with any certificate. @default false */
  readonly tls?: boolean;
  readonly users: number;
  /** Path of the WebSocket. */
  readonly webSocketPath: string;
  /** Path of the GET. */
  readonly path: string;
  /** How long a user waits for an answer. */
  readonly patienceSeconds: number;
}

/** What became of one kind of the users' requests. */
export interface StormResult {
  readonly answered: number;
  /** Requests without the expected answer, by what came instead: a status, an error code or `no answer`. */
  readonly lost: Readonly<Record<string, number>>;
  /** Seconds from the storm's begin to each expected answer, ascending. */
  readonly seconds: readonly number[];
}

export interface Storm {
  readonly webSockets: StormResult;
  readonly requests: StormResult;
  /** Resolves when the router or the server has closed all WebSockets: their close codes, or `cut` without one. */
  readonly closed: Promise<Readonly<Record<string, number>>>;
  /** Cuts the open connections, without a handshake. */
  end(): void;
}

/**
 * Sends all requests of a storm at once and waits for all answers. Plain sockets and requests made in advance: a client
 * library needs more CPU for a thousand WebSockets than the router under test.
 */
export async function storm(options: StormOptions): Promise<Storm> {
  const { hostname = options.host, users } = options;
  const head = (path: string, ...headers: string[]): string =>
    [`GET ${path} HTTP/1.1`, `Host: ${hostname}`, ...headers, "", ""].join("\r\n");
  const upgrade = head(
    options.webSocketPath,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  );
  const plain = head(options.path);
  const began = performance.now();
  const webSockets: Attempt[] = [];
  const requests: Attempt[] = [];
  for (let user = 0; user < users; user += 1) {
    webSockets.push(new Attempt(options, upgrade, "101", began));
    requests.push(new Attempt(options, plain, "200", began));
  }
  await Promise.all(requests.map((request) => request.outcome));
  for (const request of requests) request.cut();
  await Promise.all(webSockets.map((webSocket) => webSocket.outcome));
  const opened = webSockets.filter((webSocket) => webSocket.answered);
  return {
    webSockets: resultOf(webSockets),
    requests: resultOf(requests),
    closed: Promise.all(opened.map((webSocket) => webSocket.ended)).then(count),
    end: () => {
      for (const webSocket of webSockets) webSocket.cut();
    },
  };
}

class Attempt {
  readonly #connection: Socket;
  /** Of the connection, or of TLS over it. */
  readonly #socket: Socket;
  /** The status, the code of an error, or `no answer`. */
  readonly outcome: Promise<string>;
  /** How the connection ended: the WebSocket's close code, or `cut`. */
  readonly ended: Promise<string>;
  answered = false;
  seconds = NaN;
  lost: string | undefined;

  constructor(
    { host, port, patienceSeconds, ...options }: StormOptions,
    request: string,
    expected: string,
    began: number,
  ) {
    const servername = options.hostname ?? host;
    this.#connection = connect({ host, port });
    this.#socket =
      options.tls === true
        ? connectTls({ socket: this.#connection, servername, rejectUnauthorized: false })
        : this.#connection;
    this.#socket.write(request);
    const frames = new Frames();
    this.ended = new Promise((resolve) => {
      this.#socket.once("close", () => {
        resolve(frames.closeCode ?? "cut");
      });
    });
    this.outcome = new Promise<string>((resolve) => {
      const timer = setTimeout(resolve, patienceSeconds * 1000, "no answer").unref();
      this.#socket.on("data", (chunk) => {
        if (this.answered) {
          frames.read(chunk);
          return;
        }
        // The status line is in the first segment.
        const status = chunk.toString("latin1", 9, 12);
        this.answered = status === expected;
        if (this.answered) this.seconds = (performance.now() - began) / 1000;
        frames.read(chunk.subarray(chunk.indexOf("\r\n\r\n") + 4));
        resolve(status);
      });
      this.#socket.once("error", (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? error.message);
      });
      this.#socket.once("close", () => {
        clearTimeout(timer);
        resolve("closed");
      });
    }).then((outcome) => {
      if (!this.answered) {
        this.lost = outcome;
        this.#socket.destroy();
      }
      return outcome;
    });
  }

  /** Resets the connection, which leaves no port behind that waits. TLS itself cannot reset. */
  cut(): void {
    this.#connection.resetAndDestroy();
  }
}

/** Reads the frames that a server sends (RFC 6455, section 5.2: without a mask) for the code of the close. */
class Frames {
  closeCode: string | undefined;
  #bytes = Buffer.alloc(0);

  read(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 2) {
      const short = this.#bytes.readUInt8(1);
      const start = short === 126 ? 4 : 2;
      if (this.#bytes.length < start) return;
      const end = start + (short === 126 ? this.#bytes.readUInt16BE(2) : short);
      if (this.#bytes.length < end) return;
      const isClose = (this.#bytes.readUInt8(0) & 0x0f) === 8;
      if (isClose && short >= 2) this.closeCode = String(this.#bytes.readUInt16BE(start));
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}

function resultOf(attempts: readonly Attempt[]): StormResult {
  return {
    answered: attempts.filter(({ answered }) => answered).length,
    lost: count(attempts.flatMap(({ lost }) => lost ?? [])),
    seconds: attempts.flatMap(({ answered, seconds }) => (answered ? seconds : [])).sort((a, b) => a - b),
  };
}

function count(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

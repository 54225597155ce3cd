import { Agent } from "node:http";
import type { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";

/** Opens a connection to the target of the requests. */
type Connect = () => Promise<Duplex>;

/** TLS options of the listener behind a connection. */
export interface ListenerTls {
  /** Host name by which the listener selects its certificate. */
  readonly servername: string;
}

/**
 * HTTP over connections that are not sockets of this machine, such as those through an API server. Like other agents, it
 * reuses idle connections.
 */
export class PodAgent extends Agent {
  readonly #connect: Connect;
  readonly #tls: ListenerTls | undefined;
  #ended = false;

  constructor(connect: Connect, tls?: ListenerTls) {
    super({ keepAlive: true });
    this.#connect = connect;
    this.#tls = tls;
  }

  override createConnection(_options: unknown, callback?: (error: Error | null, stream: Duplex) => void): undefined {
    const opened = async (): Promise<Duplex> => {
      const stream = await this.#connect();
      if (!this.#ended) return this.#secured(stream);
      stream.destroy();
      throw new Error("the connection is no longer needed");
    };
    opened().then(
      (stream) => callback?.(null, stream),
      (error: unknown) => callback?.(error instanceof Error ? error : new Error(String(error)), undefined as never),
    );
    return undefined;
  }

  /** Closes all connections, including those that are opening: one open connection would keep the process alive. */
  override destroy(): void {
    this.#ended = true;
    super.destroy();
  }

  #secured(stream: Duplex): Duplex {
    // The agent calls methods on idle connections that only sockets of the operating system have.
    const asSocket = { setKeepAlive: () => stream, setTimeout: () => stream, ref: () => stream, unref: () => stream };
    if (this.#tls === undefined) return Object.assign(stream, asSocket);
    // The API server has authenticated the pod; the certificate is for the users of the listener.
    return tlsConnect({ socket: stream, servername: this.#tls.servername, rejectUnauthorized: false });
  }
}

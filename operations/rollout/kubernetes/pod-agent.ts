import { Agent } from "node:http";
import type { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";

/** Opens a connection to where the requests go. */
type Connect = () => Promise<Duplex>;

/** How a TLS listener behind a connection is spoken to. */
export interface ListenerTls {
  /** Host name that the listener's certificate is chosen by. */
  readonly servername: string;
}

/**
 * HTTP over connections that are no sockets of this machine, such as those through an API server. Idle ones are used
 * again, as with any agent.
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
      throw new Error("the connection is not needed any more");
    };
    opened().then(
      (stream) => callback?.(null, stream),
      (error: unknown) => callback?.(error instanceof Error ? error : new Error(String(error)), undefined as never),
    );
    return undefined;
  }

  /** Ends all connections, those that are about to open too: a single one would keep the process from ending. */
  override destroy(): void {
    this.#ended = true;
    super.destroy();
  }

  #secured(stream: Duplex): Duplex {
    // The agent asks of idle connections what only sockets of the operating system can do.
    const asSocket = { setKeepAlive: () => stream, setTimeout: () => stream, ref: () => stream, unref: () => stream };
    if (this.#tls === undefined) return Object.assign(stream, asSocket);
    // The API server has authenticated the other end; the certificate's name and authority are its users' business.
    return tlsConnect({ socket: stream, servername: this.#tls.servername, rejectUnauthorized: false });
  }
}

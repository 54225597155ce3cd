import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";
import { keyId, signJwt } from "../../contract/jwt.ts";

/** Seconds before its end from which a token is not used: a handshake on a busy machine takes some of them. */
const MARGIN_SECONDS = 8;

/** A token, and what users know of it. */
export interface IssuedToken {
  readonly token: string;
  /** Seconds since 1970. */
  readonly expires: number;
  /** Identifier of the key that signed it. */
  readonly kid: string;
}

/** Signs a token as an issuer does. */
export function signToken(key: string, lifetimeSeconds: number, sub = "test"): IssuedToken {
  const expires = Math.floor(Date.now() / 1000) + lifetimeSeconds;
  const kid = keyId(key);
  return { token: signJwt({ sub, exp: expires }, key, { kid }), expires, kid };
}

/** How a router is spoken to that has another name than its address. */
export interface RouterOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Host name that its certificate is chosen by. */
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** One WebSocket with a token: opened, answered, closed. Rejects with what was wrong. */
export function roundTrip(url: string, token: string, options: RouterOptions = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      ...options,
      headers: { ...options.headers, authorization: `Bearer ${token}` },
      handshakeTimeout: 20_000,
    });
    socket.on("unexpected-response", (_request, response) => {
      reject(new Error(`WebSocket: HTTP ${String(response.statusCode)}`));
    });
    socket.on("error", reject);
    socket.on("open", () => {
      socket.send("{}");
    });
    socket.on("message", () => {
      socket.close();
      resolve();
    });
  });
}

export interface TokenUsersOptions {
  /** A token of the key that signs now, as an issuer gives it out who follows `secrets status`. */
  readonly issue: () => IssuedToken | Promise<IssuedToken>;
  /** Opens a WebSocket with a token, and rejects with what was wrong. */
  readonly open: (token: string) => Promise<void>;
  /** Context of a failure, such as the phase of a rotation. */
  readonly when: () => string;
}

/** Users that open WebSockets with tokens of every age up to their end, until they are stopped. */
export class TokenUsers {
  /** WebSockets that were opened. */
  opened = 0;
  /** How many of them came with a token of another key than the newest token's. */
  older = 0;
  readonly failures: string[] = [];
  readonly #options: TokenUsersOptions;
  readonly #stop = new AbortController();
  readonly #tokens: IssuedToken[] = [];
  readonly #running: Promise<unknown>;

  constructor(options: TokenUsersOptions) {
    this.#options = options;
    this.#running = Promise.all([this.#issue(), ...Array.from({ length: 3 }, () => this.#use())]);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #issue(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#tokens.push(await this.#options.issue());
      const now = Date.now() / 1000;
      while ((this.#tokens[0]?.expires ?? Infinity) < now + MARGIN_SECONDS) this.#tokens.shift();
      await sleep(100);
    }
  }

  async #use(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await sleep(40);
      // The oldest that lives, or any.
      const chosen = this.#tokens[Math.random() < 0.5 ? 0 : Math.floor(Math.random() * this.#tokens.length)];
      if (chosen === undefined) continue;
      this.opened += 1;
      if (chosen.kid !== this.#tokens.at(-1)?.kid) this.older += 1;
      await this.#options.open(chosen.token).catch((error: unknown) => {
        this.failures.push(`${this.#options.when()}: ${String(error)}`);
      });
    }
  }
}

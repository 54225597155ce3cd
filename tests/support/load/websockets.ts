import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { CLOSE_SERVICE_RESTART } from "../../../contract/server.ts";
import { clock } from "./clock.ts";
import { reachOptions, type Reach } from "./reach.ts";

/** What the users of the WebSocket port saw. */
export interface WebSocketReport {
  readonly opened: number;
  readonly messages: number;
  /** Messages without an echo on connections that were not closed by their users, and those open at the end. */
  readonly unanswered: number;
  /** Closed with 1012 by a slot that drains or is replaced: the client reconnects, as it was asked to. */
  readonly restarted: number;
  /** When they were closed, milliseconds since 1970. */
  readonly restartedAt: readonly number[];
  /** Closed or cut in any other way. */
  readonly dropped: readonly string[];
  readonly refused: readonly string[];
  /** Time from a message to its echo, milliseconds, a sample. */
  readonly echoes: readonly number[];
}

export interface WebSocketOptions extends Reach {
  readonly url: string;
  readonly token?: string;
}

/** Connections that are opened at the same time. */
const OPENING = 50;

/** Time in which all must have come, milliseconds. */
const START_MS = 60_000;

interface User {
  socket: WebSocket | undefined;
  open: boolean;
  /** Whether the user itself leaves. */
  leaving: boolean;
  pending: number;
  sentAt: number;
}

/** Users with one WebSocket each. Who says something, and who leaves and comes again, is chosen in turn. */
export class WebSocketUsers {
  readonly #options: WebSocketOptions;
  readonly #users: User[];
  readonly #report = { opened: 0, messages: 0, unanswered: 0, restarted: 0 };
  readonly #dropped: string[] = [];
  readonly #refused: string[] = [];
  readonly #echoes: number[] = [];
  readonly #restartedAt: number[] = [];
  #speaker = 0;
  #leaver = 0;
  #stopped = false;

  constructor(options: WebSocketOptions, count: number) {
    this.#options = options;
    this.#users = Array.from({ length: count }, () => ({
      socket: undefined,
      open: false,
      leaving: false,
      pending: 0,
      sentAt: 0,
    }));
  }

  /** Returns when every user has been connected once. @throws Error where that does not come about */
  async start(): Promise<void> {
    const waiting = [...this.#users];
    const open = async (): Promise<void> => {
      for (let user = waiting.pop(); user !== undefined; user = waiting.pop()) {
        const opened = user;
        await new Promise<void>((resolve) => {
          this.#connect(opened, resolve);
        });
      }
    };
    const patience = sleep(START_MS, "late", { ref: false });
    const came = await Promise.race([Promise.all(Array.from({ length: OPENING }, open)), patience]);
    if (came !== "late") return;
    throw new Error(
      `${String(this.#report.opened)} of ${String(this.#users.length)} WebSockets: ${this.#refused.at(-1) ?? ""}`,
    );
  }

  /** The next user says something. */
  speak(): void {
    const user = this.#next(() => (this.#speaker = (this.#speaker + 1) % this.#users.length));
    if (user?.socket === undefined) return;
    user.pending += 1;
    user.sentAt = performance.now();
    user.socket.send('{"said":1}');
  }

  /** The next user closes its connection and opens another one, as people come and go. */
  renew(): void {
    const user = this.#next(() => (this.#leaver = (this.#leaver + 1) % this.#users.length));
    if (user?.socket === undefined) return;
    user.leaving = true;
    user.socket.close(1000);
  }

  async stop(): Promise<WebSocketReport> {
    this.#stopped = true;
    await Promise.all(
      this.#users.map(async ({ socket }) => {
        if (socket === undefined || socket.readyState === socket.CLOSED) return;
        const closed = new Promise((resolve) => socket.once("close", resolve));
        socket.close(1000);
        const timer = setTimeout(() => {
          socket.terminate();
        }, 5000);
        await closed;
        clearTimeout(timer);
      }),
    );
    return {
      ...this.#report,
      restartedAt: this.#restartedAt,
      dropped: this.#dropped,
      refused: this.#refused,
      echoes: this.#echoes,
    };
  }

  #next(advance: () => number): User | undefined {
    const user = this.#users[advance()];
    return user?.open === true && !user.leaving ? user : undefined;
  }

  #connect(user: User, first: () => void): void {
    const { url, token } = this.#options;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, { headers, perMessageDeflate: false, ...reachOptions(this.#options) });
    Object.assign(user, { socket, open: false, leaving: false, pending: 0 });
    let problem = "";
    let opened = false;
    socket.on("open", () => {
      opened = user.open = true;
      this.#report.opened += 1;
      first();
    });
    socket.on("message", () => {
      this.#report.messages += 1;
      if (user.pending > 0) user.pending -= 1;
      if (this.#report.messages % 8 === 0) this.#echoes.push(performance.now() - user.sentAt);
    });
    socket.on("error", (error) => (problem = error.message));
    socket.on("close", (code) => {
      user.open = false;
      if (this.#stopped) return;
      if (!user.leaving) this.#closed(code, problem, opened, user.pending);
      setTimeout(
        () => {
          if (!this.#stopped) this.#connect(user, first);
        },
        user.leaving ? 0 : 50 + Math.random() * 200,
      );
    });
  }

  #closed(code: number, problem: string, opened: boolean, pending: number): void {
    if (opened) this.#report.unanswered += pending;
    if (!opened) this.#refused.push(problem);
    else if (code === CLOSE_SERVICE_RESTART) {
      this.#report.restarted += 1;
      this.#restartedAt.push(clock());
    } else this.#dropped.push(`WebSocket closed with ${String(code)} ${problem}`);
  }
}

import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { RECORDING } from "../../../../contract/server.ts";
import type { Log } from "../log.ts";

/** Bytes that wait for a reader, at most: beyond them transactions are dropped, and users do not wait. */
const BACKLOG_BYTES = 8 * 1024 * 1024;

/** Longest line, in characters. */
const LINE_MOST = 1024 * 1024;

/** Recordings at the same time. */
const READERS_MOST = 2;

/** A statement as it was sent, with its role where that is not the transaction's. */
interface RecordedStatement {
  readonly sql: string;
  readonly values: readonly unknown[];
  readonly role?: string;
}

interface Reader {
  readonly socket: Socket;
  /** Of the transactions, above 0 and at most 1. */
  readonly share: number;
  dropped: number;
}

/** The statements of one transaction, until it ends. */
export class RecordedTransaction {
  readonly #claims: Readonly<Record<string, string>> | undefined;
  readonly #send: (line: string) => void;
  readonly #statements: RecordedStatement[] = [];
  #role: string | undefined;

  constructor(claims: Readonly<Record<string, string>> | undefined, send: (line: string) => void) {
    this.#claims = claims;
    this.#send = send;
  }

  add(role: string, sql: string, values: readonly unknown[] = []): void {
    this.#role ??= role;
    const other = role === this.#role ? {} : { role };
    this.#statements.push({ sql, values: values.map(plain), ...other });
  }

  /** It was committed or rolled back: hands it to the readers. */
  end(): void {
    if (this.#role === undefined) return;
    const claims = this.#claims === undefined ? {} : { claims: this.#claims };
    this.#send(JSON.stringify({ role: this.#role, ...claims, statements: this.#statements }));
  }
}

/**
 * Hands what the server asks its database to a program in the same container, over a socket that only the server's user can open.
 * Nothing is recorded unless a reader is connected, and nothing is written to a disk or a log.
 */
export class Recorder {
  readonly #log: Log;
  readonly #readers = new Set<Reader>();
  readonly #server: Server;

  constructor(path: string, log: Log) {
    this.#log = log;
    // A reader that half-closes still gets its last line.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#serve(socket);
    });
    this.#server.on("error", (error) => {
      log.warning("the workload cannot be recorded", { error: error.message });
    });
    // Of a process that was killed.
    rmSync(path, { force: true });
    this.#server.listen(path, () => {
      chmodSync(path, 0o600);
    });
    this.#server.unref();
  }

  /** @returns undefined if no one records it */
  begin(claims?: Readonly<Record<string, string>>): RecordedTransaction | undefined {
    if (this.#readers.size === 0) return undefined;
    const chosen = [...this.#readers].filter(({ share }) => share >= 1 || Math.random() < share);
    if (chosen.length === 0) return undefined;
    return new RecordedTransaction(claims, (line) => {
      for (const reader of chosen) {
        if (!this.#readers.has(reader)) continue;
        if (line.length > LINE_MOST || reader.socket.writableLength > BACKLOG_BYTES) reader.dropped += 1;
        else reader.socket.write(`${line}\n`);
      }
    });
  }

  close(): void {
    for (const { socket } of this.#readers) socket.destroy();
    this.#server.close();
  }

  /** Reads the request of a reader, `<seconds> <share>` on one line, and records until its end. */
  #serve(socket: Socket): void {
    let request = "";
    socket.on("error", () => socket.destroy());
    socket.setEncoding("utf8");
    const read = (text: string): void => {
      request += text;
      if (!request.includes("\n") && request.length < 100) return;
      socket.off("data", read);
      socket.resume();
      const [seconds = 0, share = 0] = request.trim().split(" ").map(Number);
      const valid = seconds > 0 && seconds <= RECORDING.longestSeconds && share > 0 && share <= 1;
      if (!valid || this.#readers.size >= READERS_MOST)
        socket.end(`${JSON.stringify({ refused: valid ? "others record it already" : "invalid arguments" })}\n`);
      else this.#record(socket, seconds, share);
    };
    socket.on("data", read);
  }

  #record(socket: Socket, seconds: number, share: number): void {
    const reader: Reader = { socket, share, dropped: 0 };
    const end = (reason: string): void => {
      clearTimeout(limit);
      if (!this.#readers.delete(reader)) return;
      socket.end(`${JSON.stringify({ dropped: reader.dropped })}\n`);
      this.#log.info("a recording of the workload ends", { reason, dropped: reader.dropped });
    };
    const limit = setTimeout(end, seconds * 1000, "time");
    socket.once("end", () => {
      end("reader");
    });
    socket.once("close", () => {
      end("reader");
    });
    this.#readers.add(reader);
    this.#log.info("a recording of the workload begins", { seconds, share });
    socket.write(`${JSON.stringify({ recording: true })}\n`);
  }
}

/** A value as JSON, in a form that PostgreSQL reads as the same. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString("hex")}`;
  return typeof value === "bigint" ? String(value) : (value ?? null);
}

import { spawn, type ChildProcess } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { bundleReferenceServer } from "../../../operations/images/reference.ts";
import { freePorts } from "../../support/free-ports.ts";

/** Polls until the check gives a value other than undefined or false. Throws after `seconds`. */
export async function until<T>(what: string, check: () => Promise<T | undefined | false>, seconds = 10): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
    await sleep(20);
  }
}

/** A server process of a test. */
export interface TestServer {
  readonly url: string;
  readonly webSocketUrl: string;
  readonly process: ChildProcess;
  /** Standard output and error so far. */
  output(): string;
  /** Exit code; resolves when the process ends. */
  readonly exited: Promise<number | null>;
}

/** Starts servers from one bundle and ends them all. */
export class Servers {
  readonly #directory = mkdtempSync(join(tmpdir(), "exai-server-"));
  readonly #started: ChildProcess[] = [];

  /** Bundles the server as its image has it. */
  async prepare(): Promise<void> {
    writeFileSync(join(this.#directory, "server.mjs"), (await bundleReferenceServer()).server);
  }

  /** Starts the process without waiting for anything. */
  async spawn(env: Readonly<Record<string, string>> = {}): Promise<TestServer> {
    const [http = 0, webSocket = 0] = await freePorts(2);
    const child = spawn(process.execPath, [join(this.#directory, "server.mjs")], {
      env: { EXAI_HTTP_PORT: String(http), EXAI_WS_PORT: String(webSocket), RELEASE: "test-1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#started.push(child);
    let output = "";
    const keep = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    return {
      url: `http://127.0.0.1:${http}`,
      webSocketUrl: `ws://127.0.0.1:${webSocket}`,
      process: child,
      output: () => output,
      exited: once(child, "close").then(([code]) => code as number | null),
    };
  }

  /** Starts the process and waits until it listens. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<TestServer> {
    const server = await this.spawn(env);
    await until("the server listens", async () => {
      if (server.process.exitCode !== null) throw new Error(`the server ended: ${server.output()}`);
      return (await fetch(server.url + SERVER_PATHS.health).catch(() => undefined))?.ok;
    });
    return server;
  }

  stop(): void {
    for (const child of this.#started) child.kill("SIGKILL");
    rmSync(this.#directory, { recursive: true });
  }
}

/** A token signed with HS256; `exp` in seconds since the epoch. */
export function signToken(key: string, claims: { readonly exp?: number; readonly sub?: string } = {}): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${body}.${createHmac("sha256", key).update(body).digest("base64url")}`;
}

/** What came of opening a WebSocket: the open socket, or the HTTP status of the refusal. */
export async function openWebSocket(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly socket: WebSocket; readonly release: string | undefined } | { readonly status: number }> {
  const socket = new WebSocket(url, { headers });
  return new Promise((resolve, reject) => {
    let release: string | undefined;
    socket.once("upgrade", (response) => {
      release = response.headers["x-exai-release"] as string | undefined;
    });
    socket.once("open", () => {
      resolve({ socket, release });
    });
    socket.once("unexpected-response", (_request, response) => {
      resolve({ status: response.statusCode ?? 0 });
      response.destroy();
    });
    socket.once("error", reject);
  });
}

/** An open WebSocket; throws when it is refused. */
export async function connected(url: string, headers: Readonly<Record<string, string>> = {}): Promise<WebSocket> {
  const opened = await openWebSocket(url, headers);
  if ("status" in opened) throw new Error(`refused with ${opened.status}`);
  return opened.socket;
}

/** Sends one JSON message and returns the next one that comes. */
export async function exchange(socket: WebSocket, message: unknown): Promise<Readonly<Record<string, unknown>>> {
  const answer = once(socket, "message");
  socket.send(typeof message === "string" ? message : JSON.stringify(message));
  const [data] = (await answer) as [Buffer];
  return JSON.parse(data.toString()) as Readonly<Record<string, unknown>>;
}

/** Value of one sample of the Prometheus text; undefined when there is no such series. */
export async function sample(server: TestServer, series: string): Promise<number | undefined> {
  const text = await (await fetch(server.url + SERVER_PATHS.metrics)).text();
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

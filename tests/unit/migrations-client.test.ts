import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { waitForDatabase } from "../../operations/migrations/client.ts";
import { databaseUrl } from "../../operations/migrations/url.ts";

/** Messages of PostgreSQL's protocol: a type, its length without the type, and its content. */
const message = (type: string, content: Buffer) => {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
};
const READY = Buffer.concat([message("R", Buffer.alloc(4)), message("Z", Buffer.from("I"))]);
const refusal = (code: string) => {
  const fields = Object.entries({ S: "FATAL", C: code, M: "no" }).map(([field, value]) => `${field}${value}\0`);
  return message("E", Buffer.from(`${fields.join("")}\0`));
};

const stops: (() => unknown)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A port that does one after the other with its connections, the last of them again and again. */
async function port(...does: readonly ((socket: Socket) => void)[]) {
  const state = { connections: 0 };
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    const behaviour = does[Math.min(state.connections, does.length - 1)];
    state.connections += 1;
    behaviour?.(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.push(() => server.close());
  const { port: number } = server.address() as AddressInfo;
  return { state, url: databaseUrl(`postgres://postgres:x@127.0.0.1:${String(number)}/postgres?sslmode=disable`) };
}

const accepts = (socket: Socket) => socket.once("data", () => socket.write(READY));
const refuses = (code: string) => (socket: Socket) => socket.once("data", () => socket.end(refusal(code)));

describe("a database that was just started", () => {
  it("is waited for while its port resets or closes connections, and while it starts", async () => {
    const { state, url } = await port(
      (socket) => socket.resetAndDestroy(),
      (socket) => socket.end(),
      refuses("57P03"),
      accepts,
    );
    await waitForDatabase(url);
    expect(state.connections).toBe(4);
  });

  it("is not waited for if PostgreSQL refuses the connection", async () => {
    const { state, url } = await port(refuses("28P01"));
    await waitForDatabase(url);
    expect(state.connections).toBe(1);
  });

  it("is not waited for after an abort", async () => {
    const { url } = await port((socket) => socket.resetAndDestroy());
    const stop = new AbortController();
    const waiting = waitForDatabase(url, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toThrow(/aborted/);
  });
});

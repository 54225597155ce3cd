import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SERVER_METRICS } from "../../../contract/server.ts";
import { connected, exchange, openWebSocket, sample, Servers, signToken, until, type TestServer } from "./harness.ts";

const CURRENT = "current-key-of-thirty-two-bytes!!";
const PREVIOUS = "previous-key-of-thirty-two-bytes!";
const servers = new Servers();
let open: TestServer;
let guarded: TestServer;
beforeAll(async () => {
  await servers.prepare();
  open = await servers.start({ EXAI_SLOT: "blue", EXAI_WS_PING_SECONDS: "0.2" });
  guarded = await servers.start({
    EXAI_JWT_TOKEN: CURRENT,
    EXAI_JWT_TOKEN_PREVIOUS: PREVIOUS,
    BROWSER_SECURITY_ENABLED: "true",
    EXAI_PRODUCTION_URL: "https://exai.example",
  });
});
afterAll(() => {
  servers.stop();
});

describe("protocol", () => {
  test("sends each JSON object back with release and slot", async () => {
    const opened = await openWebSocket(open.webSocketUrl);
    if ("status" in opened) throw new Error(`refused with ${opened.status}`);
    const { socket, release } = opened;
    expect(release).toBe("test-1");
    const answer = { release: "test-1", slot: "blue" };
    expect(await exchange(socket, { id: 7, text: "ä", deep: { a: [1] } })).toEqual({
      id: 7,
      text: "ä",
      deep: { a: [1] },
      ...answer,
    });
    for (const wrong of ["no JSON", "[1]", "null", "3"])
      expect(await exchange(socket, wrong)).toEqual({ error: "the message is not a JSON object", ...answer });
    socket.close();
  });

  test("closes on a message above one megabyte", async () => {
    const socket = await connected(open.webSocketUrl);
    socket.send("x".repeat(1024 * 1024 + 1));
    const [code] = (await once(socket, "close")) as [number];
    expect(code).toBe(1009);
  });

  test("counts open WebSockets and measures the round trip of pings", async () => {
    const series = `${SERVER_METRICS.webSocketLatency}_count`;
    await until("none open", async () => (await sample(open, SERVER_METRICS.webSockets)) === 0);
    const sockets = await Promise.all(Array.from({ length: 5 }, () => connected(open.webSocketUrl)));
    expect(await sample(open, SERVER_METRICS.webSockets)).toBe(5);
    const before = (await sample(open, series)) ?? 0;
    await until("ten more pings", async () => ((await sample(open, series)) ?? 0) >= before + 10);
    for (const socket of sockets) socket.close();
    await until("none open", async () => (await sample(open, SERVER_METRICS.webSockets)) === 0);
  });

  test("cuts a client that answers no ping", async () => {
    const socket = await connected(open.webSocketUrl);
    // Nothing is read any more, so no pong goes out.
    socket.pause();
    const count = () => sample(open, SERVER_METRICS.webSockets);
    await until("it is cut", async () => (await count()) === 0, 5);
    socket.terminate();
  });

  test("plain HTTP on the port is answered with 426", async () => {
    const response = await fetch(open.webSocketUrl.replace("ws", "http"));
    expect(response.status).toBe(426);
    expect(response.headers.get("x-exai-release")).toBe("test-1");
  });
});

describe("tokens", () => {
  const now = () => Math.floor(Date.now() / 1000);
  const status = async (url: string, headers: Record<string, string> = {}) => {
    const opened = await openWebSocket(url, headers);
    if ("status" in opened) return opened.status;
    opened.socket.close();
    return 101;
  };
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  test.each<[string, () => Record<string, string>, number]>([
    ["no token", () => ({}), 401],
    ["the current key", () => bearer(signToken(CURRENT, { exp: now() + 60 })), 101],
    ["the previous key", () => bearer(signToken(PREVIOUS, { exp: now() + 60 })), 101],
    ["an expired token", () => bearer(signToken(CURRENT, { exp: now() - 60 })), 401],
    ["an unknown key", () => bearer(signToken("unknown-key-of-thirty-two-bytes!!")), 401],
    ["the key itself", () => bearer(CURRENT), 401],
  ])("%s", async (_name, headers, expected) => {
    expect(await status(guarded.webSocketUrl, headers())).toBe(expected);
  });

  test("a browser sends its token in the query", async () => {
    expect(await status(`${guarded.webSocketUrl}/?token=${signToken(CURRENT)}`)).toBe(101);
    expect(await status(`${guarded.webSocketUrl}/?token=x.y.z`)).toBe(401);
  });

  test("under browser security only the production page opens WebSockets", async () => {
    const token = bearer(signToken(CURRENT));
    expect(await status(guarded.webSocketUrl, { ...token, origin: "https://exai.example" })).toBe(101);
    expect(await status(guarded.webSocketUrl, { ...token, origin: "https://evil.example" })).toBe(403);
    expect(await status(open.webSocketUrl, { origin: "https://evil.example" })).toBe(101);
  });
});

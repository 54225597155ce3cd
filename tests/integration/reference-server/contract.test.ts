import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LATENCY_BUCKETS_SECONDS, SERVER_METRICS, SERVER_PATHS } from "../../../contract/server.ts";
import { connected, openWebSocket, sample, Servers, until, type TestServer } from "./harness.ts";

const servers = new Servers();
let server: TestServer;
beforeAll(async () => {
  await servers.prepare();
  server = await servers.start({ EXAI_SLOT: "green", EXAI_PRODUCTION_URL: "https://exai.example/" });
});
afterAll(() => {
  servers.stop();
});

const get = (path: string, init: RequestInit = {}) => fetch(server.url + path, init);

describe("HTTP", () => {
  test.each([SERVER_PATHS.health, SERVER_PATHS.ready])("%s says who answers", async (path) => {
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-exai-release")).toBe("test-1");
    expect(await response.json()).toMatchObject({ release: "test-1", slot: "green" });
  });

  test("starts with well under a second of work", () => {
    const line =
      server
        .output()
        .split("\n")
        .find((candidate) => candidate.includes('"serving"')) ?? "{}";
    expect((JSON.parse(line) as { startCpuSeconds: number }).startCpuSeconds).toBeLessThan(1);
  });

  test("every log line is a JSON object with time, level and release", () => {
    const lines = server.output().trim().split("\n");
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String) as string, release: "test-1" });
  });

  test("/metrics has every series of the contract, with its buckets", async () => {
    const response = await get(SERVER_PATHS.metrics);
    const text = await response.text();
    expect(response.headers.get("content-type")).toContain("version=0.0.4");
    const { databaseUp, databaseConnections, ...others } = SERVER_METRICS;
    for (const name of Object.values(others)) expect(text).toContain(`# TYPE ${name} `);
    // This server has no database.
    for (const name of [databaseUp, databaseConnections]) expect(text).not.toContain(name);
    for (const bound of LATENCY_BUCKETS_SECONDS)
      expect(text).toContain(`${SERVER_METRICS.webSocketLatency}_bucket{le="${bound}"}`);
    expect(text).toMatch(/^exai_build_info\{version="[^"]+",release="test-1"\} 1$/m);
    expect(text).toContain("process_resident_memory_bytes ");
  });

  test("counts requests by method, route and status, and unknown paths as one route", async () => {
    const series = (route: string, status: number) =>
      `${SERVER_METRICS.requests}{method="GET",route="${route}",status="${status}"}`;
    const before = (await sample(server, series("other", 404))) ?? 0;
    for (const path of ["/a", "/b?c=d", "/wp-login.php"]) {
      const response = await get(path);
      expect(response.status).toBe(404);
      expect(response.headers.get("x-exai-release")).toBe("test-1");
      await response.text();
    }
    await until("three more", async () => (await sample(server, series("other", 404))) === before + 3);
    expect(await sample(server, series("/a", 404))).toBeUndefined();
  });

  test("/api/metrics has the same numbers as JSON", async () => {
    await (await get("/")).text();
    const body = (await (await get(SERVER_PATHS.apiMetrics)).json()) as {
      requests: { total: number; byRoute: Record<string, number> };
      latency: { p99: number };
    };
    expect(body).toMatchObject({ release: "test-1", slot: "green", mcpSessions: 0 });
    expect(body.requests.byRoute["/"]).toBeGreaterThan(0);
    expect(body.latency.p99).toBeGreaterThan(0);
  });

  test("only reads", async () => {
    const response = await get(SERVER_PATHS.health, { method: "POST", body: "x" });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET, HEAD");
    expect((await get(SERVER_PATHS.health, { method: "HEAD" })).status).toBe(200);
  });
});

describe("dashboard", () => {
  test("is one page whose policy allows its own script and nothing from elsewhere", async () => {
    const response = await get(SERVER_PATHS.dashboard);
    const page = await response.text();
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(page).toContain(SERVER_PATHS.dashboardWebSocket);
    expect(page).not.toMatch(/(src|href)="(?!data:)/);
  });

  test("gets the numbers at once and then regularly", async () => {
    const socket = await connected(server.url.replace("http", "ws") + SERVER_PATHS.dashboardWebSocket);
    const messages: { uptimeSeconds: number }[] = [];
    socket.on("message", (data: Buffer) => messages.push(JSON.parse(data.toString()) as { uptimeSeconds: number }));
    // The second may come in the same moment as the first: the regular ones have their own time.
    await until("three pushes", () => Promise.resolve(messages.length >= 3));
    expect(messages[2]?.uptimeSeconds).toBeGreaterThan(messages[0]?.uptimeSeconds ?? Infinity);
    socket.close();
  });

  test.each([
    ["its own page", () => server.url, 101],
    ["the production page", () => "https://exai.example", 101],
    ["another page of this machine", () => "http://127.0.0.1:1", 403],
    ["a foreign page", () => "https://evil.example", 403],
  ])("opened by %s", async (_name, origin, status) => {
    const url = server.url.replace("http", "ws") + SERVER_PATHS.dashboardWebSocket;
    const opened = await openWebSocket(url, { origin: origin() });
    expect("status" in opened ? opened.status : 101).toBe(status);
    if ("socket" in opened) opened.socket.close();
  });

  test("no other path of the HTTP port takes WebSockets", async () => {
    expect(await openWebSocket(`${server.url.replace("http", "ws")}/ws`)).toEqual({ status: 404 });
  });
});

describe("settings", () => {
  test("wrong ones are refused with name, problem and fix, all at once", async () => {
    const refused = await servers.spawn({ EXAI_JWT_TOKEN: "short", LOG_LEVEL: "loud", EXAI_FAULTS: "errors=2" });
    expect(await refused.exited).toBe(2);
    expect(refused.output()).toMatch(/^EXAI_JWT_TOKEN: is 5 bytes long.*\n {2}fix: .*openssl rand/m);
    expect(refused.output()).toMatch(/^LOG_LEVEL: 'loud' .*\n {2}fix: .*debug, info, warning, error/m);
    expect(refused.output()).toMatch(/^EXAI_FAULTS: 'errors=2'/m);
  });

  test("a port that is taken is refused by name", async () => {
    const taken = await servers.spawn({ EXAI_HTTP_PORT: new URL(server.url).port });
    expect(await taken.exited).toBe(2);
    expect(taken.output()).toMatch(/^EXAI_HTTP_PORT: cannot listen .*EADDRINUSE/m);
  });

  test("MONITORING_ENABLED=false hides numbers and dashboard, not health", async () => {
    const quiet = await servers.start({ MONITORING_ENABLED: "false" });
    for (const path of [SERVER_PATHS.metrics, SERVER_PATHS.apiMetrics, SERVER_PATHS.dashboard])
      expect((await fetch(quiet.url + path)).status, path).toBe(404);
    expect((await fetch(quiet.url + SERVER_PATHS.ready)).status).toBe(200);
    expect(await openWebSocket(quiet.url.replace("http", "ws") + SERVER_PATHS.dashboardWebSocket)).toEqual({
      status: 404,
    });
  });
});

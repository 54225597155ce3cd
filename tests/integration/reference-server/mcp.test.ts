import { createServer, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SERVER_METRICS, SERVER_PATHS } from "../../../contract/server.ts";
import { freePort } from "../../support/free-ports.ts";
import { sample, Servers, until, type TestServer } from "./harness.ts";

const servers = new Servers();
let server: TestServer;
let providerUrl: string;

/** A local server that speaks the used part of an OpenAI-compatible API; the prompt decides how it answers. */
const provider = createServer((request, response) => {
  void answerChat(request).then(({ status, body }) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
});
async function answerChat(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  const text = Buffer.concat(await request.toArray()).toString();
  const { model, messages } = JSON.parse(text) as { model: string; messages: { role: string; content: string }[] };
  if (request.headers.authorization !== "Bearer glm-key") return { status: 401, body: {} };
  if (messages[0]?.content === "fail") return { status: 503, body: {} };
  if (messages[0]?.content === "hang") await once(request.socket, "close");
  return { status: 200, body: { choices: [{ message: { content: `${model} read: ${messages[0]?.content ?? ""}` } }] } };
}

beforeAll(async () => {
  const port = await freePort();
  provider.listen(port, "127.0.0.1");
  providerUrl = `http://127.0.0.1:${port}/v1`;
  await servers.prepare();
  server = await servers.start({
    EXAI_SLOT: "blue",
    SIMPLE_TOOL_TIMEOUT_SECS: "1",
    GLM_API_KEY: "glm-key",
    GLM_API_URL: providerUrl,
    GLM_TIMEOUT_SECS: "3",
  });
});
afterAll(() => {
  servers.stop();
  provider.closeAllConnections();
  provider.close();
});

async function connect(url = server.url): Promise<{ client: Client; transport: StreamableHTTPClientTransport }> {
  const client = new Client({ name: "test", version: "1" });
  const transport = new StreamableHTTPClientTransport(new URL(SERVER_PATHS.mcp, url));
  await client.connect(transport);
  return { client, transport };
}

async function call(client: Client, name: string, args: Record<string, unknown>): Promise<[string, boolean]> {
  const result = (await client.callTool({ name, arguments: args })) as CallToolResult;
  const [content] = result.content;
  return [content?.type === "text" ? content.text : "", result.isError ?? false];
}

const post = (headers: Record<string, string>, body: unknown) =>
  fetch(server.url + SERVER_PATHS.mcp, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    body: JSON.stringify(body),
  });
const listTools = { jsonrpc: "2.0", id: 1, method: "tools/list" };

describe("sessions", () => {
  test("open, are counted, and end with DELETE; then their id is unknown", async () => {
    const { client, transport } = await connect();
    const id = transport.sessionId ?? "";
    expect(id).not.toBe("");
    expect(await sample(server, SERVER_METRICS.mcpSessions)).toBe(1);
    expect((await post({ "mcp-session-id": id }, listTools)).status).toBe(200);
    await transport.terminateSession();
    expect((await post({ "mcp-session-id": id }, listTools)).status).toBe(404);
    expect(await sample(server, SERVER_METRICS.mcpSessions)).toBe(0);
    await client.close();
  });

  test("are apart from one another", async () => {
    const [first, second] = await Promise.all([connect(), connect()]);
    expect(first.transport.sessionId).not.toBe(second.transport.sessionId);
    await first.transport.terminateSession();
    expect(await call(second.client, "echo", { text: "still here" })).toEqual(["still here", false]);
    await Promise.all([first.client.close(), second.transport.terminateSession()]);
    await second.client.close();
  });

  test("an unknown session gets 404 for every method, so that the client initializes again", async () => {
    const headers = { "mcp-session-id": "11111111-2222-3333-4444-555555555555", accept: "text/event-stream" };
    expect((await post(headers, listTools)).status).toBe(404);
    for (const method of ["GET", "DELETE"])
      expect((await fetch(server.url + SERVER_PATHS.mcp, { method, headers })).status, method).toBe(404);
  });

  test("without a session only initialize is taken", async () => {
    expect((await post({}, listTools)).status).toBe(400);
    const headers = { accept: "text/event-stream" };
    expect((await fetch(server.url + SERVER_PATHS.mcp, { headers })).status).toBe(400);
    expect((await fetch(server.url + SERVER_PATHS.mcp, { method: "PUT" })).status).toBe(405);
    expect(await sample(server, SERVER_METRICS.mcpSessions)).toBe(0);
  });

  test("GET opens the event stream; a second one of the same session is refused", async () => {
    const { client, transport } = await connect();
    const headers = { "mcp-session-id": transport.sessionId ?? "", accept: "text/event-stream" };
    // The SDK's client opens the stream after it has initialized.
    await until("the stream is open", async () => {
      const response = await fetch(server.url + SERVER_PATHS.mcp, { headers });
      await response.body?.cancel();
      return response.status === 409;
    });
    await transport.terminateSession();
    await client.close();
  });

  test("a page from elsewhere is refused", async () => {
    expect((await post({ origin: "https://evil.example" }, listTools)).status).toBe(403);
    expect((await post({ origin: server.url }, listTools)).status).toBe(400);
  });
});

describe("tools", () => {
  let client: Client;
  beforeAll(async () => {
    ({ client } = await connect());
  });
  afterAll(async () => {
    await client.close();
  });

  test("are listed with their schemas", async () => {
    const { tools } = await client.listTools();
    expect(tools.map((tool) => tool.name).sort()).toEqual(["chat", "echo", "server_info"]);
  });

  test("server_info names release and slot", async () => {
    const result = await client.callTool({ name: "server_info", arguments: {} });
    expect(result.structuredContent).toMatchObject({
      release: "test-1",
      slot: "blue",
      providers: ["glm"],
      timeouts: { simpleToolSeconds: 1 },
    });
  });

  test("echo delays its answer on request, within the time-out", async () => {
    expect(await call(client, "echo", { text: "hi", delay_seconds: 0.1 })).toEqual(["hi", false]);
    const [message, isError] = await call(client, "echo", { text: "hi", delay_seconds: 5 });
    expect(isError).toBe(true);
    expect(message).toContain("SIMPLE_TOOL_TIMEOUT_SECS");
  });

  test("chat without a key names the missing setting and counts nothing", async () => {
    const [message, isError] = await call(client, "chat", { provider: "kimi", prompt: "hello" });
    expect(isError).toBe(true);
    expect(message).toContain("KIMI_API_KEY");
    expect(await sample(server, `${SERVER_METRICS.providerRequests}{provider="kimi",outcome="error"}`)).toBe(0);
  });

  test("chat asks the provider and counts its answers, errors and time-outs", async () => {
    const count = (outcome: string) =>
      sample(server, `${SERVER_METRICS.providerRequests}{provider="glm",outcome="${outcome}"}`);
    expect(await call(client, "chat", { provider: "glm", prompt: "hello" })).toEqual(["glm-4.6 read: hello", false]);
    expect(await count("ok")).toBe(1);
    const [refused, refusedIsError] = await call(client, "chat", { provider: "glm", prompt: "fail" });
    expect([refused, refusedIsError]).toEqual(["glm answered 503 Service Unavailable", true]);
    const [late, lateIsError] = await call(client, "chat", { provider: "glm", prompt: "hang" });
    expect([late, lateIsError]).toEqual(["glm did not answer within 3 s", true]);
    expect(await count("error")).toBe(2);
    expect(await sample(server, `${SERVER_METRICS.providerDuration}_count{provider="glm"}`)).toBe(3);
  });

  test("wrong arguments are the tool's error, not the server's", async () => {
    const [message, isError] = await call(client, "chat", { provider: "other", prompt: "x" });
    expect(isError).toBe(true);
    expect(message).toContain("provider");
  });
});

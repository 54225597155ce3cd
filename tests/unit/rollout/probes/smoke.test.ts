import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SERVER_PATHS } from "../../../../contract/server.ts";
import type { RolloutContext } from "../../../../operations/rollout/ports/context.ts";
import { smokeTest } from "../../../../operations/rollout/probes/smoke.ts";
import { TEST_ACCESS } from "../../../support/rollout/access.ts";
import { Slots } from "../slots.ts";

let slots: Slots;
beforeEach(async () => {
  slots = await Slots.start();
});
afterEach(() => {
  slots.stop();
});

describe("the smoke test", () => {
  const run = async (): Promise<Record<string, string>> => {
    const { signal } = new AbortController();
    const { url } = slots;
    const addresses = { routerUrl: url, webSocketUrl: url.replace("http", "ws") };
    const context = { ...addresses, access: TEST_ACCESS, signal, deadlines: { smokeSeconds: 5 } };
    const checks: Record<string, string> = {};
    for await (const { name, detail } of smokeTest(context as unknown as RolloutContext, "green"))
      checks[name] = detail;
    return checks;
  };
  const refuses =
    (wanted: string, path: string, status: number) =>
    (method: string, asks: string): number | undefined =>
      method === wanted && asks === path ? status : undefined;

  it("opens an event stream and the dashboard's WebSocket, and closes both", async () => {
    expect(await run()).toMatchObject({ "MCP event stream": "open", "dashboard's WebSocket": "open" });
    expect(slots.asked.filter((each) => each === "DELETE /mcp")).toHaveLength(2);
    await expect.poll(() => slots.streams).toBe(0);
  });

  it("accepts a server without an event stream, which the protocol allows", async () => {
    slots.behaviour = { green: { status: refuses("GET", SERVER_PATHS.mcp, 405) } };
    expect(await run()).toMatchObject({ "MCP event stream": "HTTP 405: the server has none" });
  });

  it.each([500, 403, 404])("fails on an event stream that is answered with %d", async (status) => {
    slots.behaviour = { green: { status: refuses("GET", SERVER_PATHS.mcp, status) } };
    await expect(run()).rejects.toThrow(`MCP event stream: HTTP ${String(status)}`);
  });

  it("fails on an event stream of another content type", async () => {
    slots.behaviour = { green: { stream: "application/json" } };
    await expect(run()).rejects.toThrow("MCP event stream: application/json instead of text/event-stream");
  });

  it("fails on a dashboard that fails, and accepts a server without one", async () => {
    slots.behaviour = { green: { status: refuses("upgrade", SERVER_PATHS.dashboardWebSocket, 500) } };
    await expect(run()).rejects.toThrow("dashboard's WebSocket: HTTP 500");
    slots.behaviour = { green: { status: refuses("upgrade", SERVER_PATHS.dashboardWebSocket, 404) } };
    expect(await run()).toMatchObject({ "dashboard's WebSocket": "HTTP 404: the server has no dashboard" });
  });
});

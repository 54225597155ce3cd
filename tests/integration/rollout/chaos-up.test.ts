import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { failures } from "../../support/load/http.ts";
import { Load } from "../../support/load/load.ts";
import { LocalInstance, BRIEF_GATES } from "../../support/local-instance.ts";
import { until } from "../../support/rollout/stack.ts";

let instance: LocalInstance;
let controller: ChildProcess | undefined;
beforeAll(async () => {
  instance = await LocalInstance.create("chaos");
  await instance.events(["up"]);
}, 300_000);
afterAll(async () => {
  controller?.kill("SIGKILL");
  await instance.remove();
}, 120_000);

/** The weights that the router itself has. */
async function weights(): Promise<unknown> {
  const ran = await instance.exai(["rollout", "status"]);
  const lines = ran.stdout.split("\n").filter((line) => line.startsWith("{"));
  const events = lines.map(
    (line) => JSON.parse(line) as { type: string; data?: { tableInForce?: { weights: unknown } } },
  );
  return events.find(({ type }) => type === "result")?.data?.tableInForce?.weights;
}

const QUARTER = { blue: 75, green: 25 };

it("`up` in the middle of a rollout is refused while a controller leads it, and keeps its weights otherwise", async () => {
  const load = new Load({
    routerUrl: `http://127.0.0.1:${String(instance.ports.httpPort)}`,
    webSocketUrl: `ws://127.0.0.1:${String(instance.ports.wsPort)}`,
    ...{ requestsPerSecond: 30, webSockets: 0, mcpSessions: 5 },
  });
  await load.start();
  controller = instance.start(
    ["cutover", "--image", LOCAL_IMAGES.referenceServer, "--steps", "25,100", "--hold", "5m", "--again"],
    BRIEF_GATES,
  );
  await until("a quarter of the users on green", 120, async () => {
    if (controller?.exitCode !== null) throw new Error(`the cutover ended with ${String(controller?.exitCode)}`);
    return JSON.stringify(await weights()) === JSON.stringify(QUARTER);
  });

  const refused = await instance.exai(["up"]);
  expect(refused.code, refused.stdout).toBe(3);
  expect(refused.stdout + refused.stderr).toContain(`process ${String(controller.pid)}`);
  expect(await weights()).toEqual(QUARTER);

  const exited = once(controller, "exit");
  controller.kill("SIGKILL");
  await exited;
  const up = await instance.exai(["up"]);
  expect(up.code, up.stdout).toBe(0);
  expect(up.stdout).toMatch(/rollout is unfinished in state \\"shift 25 %\\"/);
  expect(await weights()).toEqual(QUARTER);

  const aborted = await instance.exai(["rollout", "abort"]);
  expect(aborted.code, aborted.stdout).toBe(0);
  expect(await weights()).toEqual({ blue: 100, green: 0 });
  const { requests, mcp } = await load.stop();
  const failed = failures(requests).length;
  process.stdout.write(
    `chaos: up at 25 %: ${JSON.stringify({ requests: requests.length, failed, mcpFailed: mcp.failed.length, mcpWrongSlot: mcp.wrongSlot })}\n`,
  );
  expect({ failed, mcpFailed: mcp.failed, wrong: mcp.wrongSlot }).toEqual({ failed: 0, mcpFailed: [], wrong: 0 });
}, 300_000);

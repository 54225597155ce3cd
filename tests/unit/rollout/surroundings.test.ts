import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { COLOURS } from "../../../contract/colours.ts";
import { HEADERS } from "../../../contract/server.ts";
import type { RolloutContext } from "../../../operations/rollout/context.ts";
import { checkSurroundings } from "../../../operations/rollout/cutover.ts";
import { Process, World } from "./world.ts";

/** A router that counts what it is asked, and a Prometheus that has the router's series when something was counted. */
let server: Server;
let asked: string[];
let counts: boolean;
beforeEach(async () => {
  asked = [];
  counts = true;
  server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    if (request.url?.startsWith("/api/v1/") !== true) {
      asked.push(String(request.headers[HEADERS.testerColour]));
      response.writeHead(503).end("{}");
      return;
    }
    const seen = counts && asked.length > 0;
    const result = seen ? [{ metric: {}, values: [[Date.now() / 1000, "1"]] }] : [];
    response.end(JSON.stringify({ status: "success", data: { resultType: "matrix", result } }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function context(): RolloutContext {
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const own = new World().context(new Process("ann@host"), url, async function* () {
    await Promise.resolve();
    return { outcome: "done", detail: "" };
  });
  return { ...own, routerUrl: url };
}

it("a router that nobody has asked yet is asked once for each colour, whatever it answers", async () => {
  await checkSurroundings(context());
  expect(asked.sort()).toEqual([...COLOURS].sort());
  await checkSurroundings(context());
  expect(asked).toHaveLength(COLOURS.length);
});

it("a Prometheus that does not get the router's figures refuses the cutover", async () => {
  counts = false;
  await expect(checkSurroundings(context())).rejects.toMatchObject({
    where: "gates",
    message: expect.stringContaining("holds no sample of the router") as string,
  });
});

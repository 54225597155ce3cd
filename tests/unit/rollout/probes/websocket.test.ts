import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import type { Slot } from "../../../../contract/slots.ts";
import type { ProbedRoundTrips, ProbedSeconds } from "../../../../operations/rollout/gates/observation.ts";
import { slotOf, TEST_ACCESS } from "../../../support/rollout/access.ts";
import { RoundTripProber } from "../../../../operations/rollout/probes/websocket.ts";

/** Milliseconds above which a round trip counts as slow here. */
const SLOW = 200;

/** How a slot answers a WebSocket. */
interface Behaviour {
  /** Status line with which it refuses. */
  readonly refuses?: string;
  readonly drops?: boolean;
  /** Milliseconds before a message is answered; absent: it is not. */
  readonly answers?: number;
}

let server: Server;
let behaviour: Record<Slot, Behaviour>;
const tokens: (string | undefined)[] = [];

beforeEach(async () => {
  tokens.length = 0;
  const sockets = new WebSocketServer({ noServer: true });
  server = createServer();
  server.on("upgrade", (request, socket, head) => {
    const own = behaviour[slotOf(request.headers)];
    tokens.push(request.headers.authorization);
    // A probe resets the connection as soon as it reads the refusal.
    socket.on("error", () => undefined);
    if (own.refuses !== undefined) {
      socket.end(`HTTP/1.1 ${own.refuses}\r\nconnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on("message", (data) => {
        if (own.drops === true) client.terminate();
        else if (own.answers !== undefined)
          setTimeout(() => {
            client.send(data);
          }, own.answers);
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Probes until enough was measured, and returns the measurements. */
async function probed(message: string, enough: (bins: readonly ProbedSeconds[]) => boolean) {
  const { port } = server.address() as AddressInfo;
  const webSocketUrl = `ws://127.0.0.1:${String(port)}`;
  const prober = new RoundTripProber({
    webSocketUrl,
    access: TEST_ACCESS,
    stable: "blue",
    message,
    token: () => "a-token",
  });
  prober.aim(2);
  try {
    await expect.poll(() => enough(prober.since(0, SLOW)), { timeout: 20_000, interval: 50 }).toBe(true);
    const refusals = { blue: prober.refusal("blue"), green: prober.refusal("green") };
    return { bins: prober.since(0, SLOW), networkDelay: prober.networkDelay, refusals };
  } finally {
    await prober.stop();
  }
}

const sum = (bins: readonly ProbedSeconds[], slot: Slot, key: keyof ProbedRoundTrips): number =>
  bins.reduce((total, bin) => total + bin[slot][key], 0);

describe("the probes of WebSockets", () => {
  it("measure a ping frame on a server that does not answer messages", async () => {
    behaviour = { blue: {}, green: {} };
    const { bins, networkDelay } = await probed(
      "hello",
      (all) => sum(all, "blue", "done") >= 5 && sum(all, "green", "done") >= 5,
    );
    expect(sum(bins, "green", "lost")).toBe(0);
    expect(new Set(tokens)).toEqual(new Set(["Bearer a-token"]));
    expect(networkDelay).toBeGreaterThan(0);
    expect(networkDelay).toBeLessThan(1000);
  });

  it("measure the answer to a message if the stable slot answers", async () => {
    behaviour = { blue: { answers: 0 }, green: { answers: 2 * SLOW } };
    const { bins } = await probed("hello", (all) => sum(all, "blue", "done") >= 8 && sum(all, "green", "slow") >= 3);
    expect(sum(bins, "green", "slow")).toBeGreaterThan(sum(bins, "blue", "slow"));
  });

  it("count a dropped connection as lost, and do not count a failed one, which the router counts", async () => {
    behaviour = { blue: { refuses: "503 Service Unavailable" }, green: { drops: true } };
    const { bins, networkDelay } = await probed("hello", (all) => sum(all, "green", "lost") >= 3);
    expect(sum(bins, "blue", "lost")).toBe(0);
    expect(sum(bins, "blue", "refused")).toBe(0);
    expect(sum(bins, "blue", "done")).toBe(0);
    expect(networkDelay).toBe(Infinity);
    expect(tokens.length).toBeGreaterThan(3);
  });

  it.each(["401 Unauthorized", "403 Forbidden", "404 Not Found"])(
    "count one that is refused with %s",
    async (status) => {
      behaviour = { blue: {}, green: { refuses: status } };
      const { bins, refusals } = await probed("", (all) => sum(all, "green", "refused") >= 3);
      expect([sum(bins, "green", "lost"), sum(bins, "green", "done"), sum(bins, "blue", "refused")]).toEqual([0, 0, 0]);
      expect(refusals).toEqual({ blue: undefined, green: Number(status.slice(0, 3)) });
    },
  );
});

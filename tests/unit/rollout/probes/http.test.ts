import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Slot } from "../../../../contract/slots.ts";
import { SERVER_PATHS } from "../../../../contract/server.ts";
import { TEST_ACCESS } from "../../../support/rollout/access.ts";
import { Prober } from "../../../../operations/rollout/probes/http.ts";
import { Slots } from "../slots.ts";

let slots: Slots;
beforeEach(async () => {
  slots = await Slots.start();
});
afterEach(() => {
  slots.stop();
});

describe("the probes of requests", () => {
  const probed = async (enough: number): Promise<Record<Slot, { answered: number; refused: number }>> => {
    const prober = new Prober(slots.url, TEST_ACCESS, ["green", "blue"]);
    const sum = (slot: Slot) => ({
      answered: prober.answers(0).reduce((total, bin) => total + bin[slot].answered, 0),
      refused: prober.answers(0).reduce((total, bin) => total + bin[slot].refused, 0),
    });
    prober.aim(100);
    try {
      await expect.poll(() => sum("green").answered).toBeGreaterThan(enough);
      return { blue: sum("blue"), green: sum("green") };
    } finally {
      await prober.stop();
    }
  };

  it("open event streams, and count refused requests", async () => {
    slots.behaviour = { green: { status: (_, path) => (path === SERVER_PATHS.dashboard ? 404 : undefined) } };
    const { blue, green } = await probed(60);
    expect(green.refused).toBeGreaterThan(10);
    expect(blue.refused).toBe(0);
    expect(slots.asked).toContain("GET /mcp");
  });

  it("do not count answers that the protocol leaves to the server, nor errors that the router counts", async () => {
    slots.behaviour = {
      green: {
        status: (method, path) =>
          path !== SERVER_PATHS.mcp ? undefined : { GET: 405, DELETE: 405, POST: 500 }[method],
      },
      blue: { status: (method, path) => (path === SERVER_PATHS.mcp && method !== "POST" ? 405 : undefined) },
    };
    const { blue, green } = await probed(60);
    expect([blue.refused, green.refused]).toEqual([0, 0]);
  });
});

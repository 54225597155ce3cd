import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Colour } from "../../../contract/slots.ts";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { Prober } from "../../../operations/rollout/probes/http.ts";
import { Colours } from "./colours.ts";

let colours: Colours;
beforeEach(async () => {
  colours = await Colours.start();
});
afterEach(() => {
  colours.stop();
});

describe("the probes of requests", () => {
  const probed = async (enough: number): Promise<Record<Colour, { answered: number; refused: number }>> => {
    const prober = new Prober(colours.url, ["green", "blue"]);
    const sum = (colour: Colour) => ({
      answered: prober.answers(0).reduce((total, bin) => total + bin[colour].answered, 0),
      refused: prober.answers(0).reduce((total, bin) => total + bin[colour].refused, 0),
    });
    prober.aim(100);
    try {
      await expect.poll(() => sum("green").answered, { timeout: 10_000 }).toBeGreaterThan(enough);
      return { blue: sum("blue"), green: sum("green") };
    } finally {
      await prober.stop();
    }
  };

  it("open event streams, and note what is refused", async () => {
    colours.behaviour = { green: { status: (_, path) => (path === SERVER_PATHS.dashboard ? 404 : undefined) } };
    const { blue, green } = await probed(60);
    expect(green.refused).toBeGreaterThan(10);
    expect(blue.refused).toBe(0);
    expect(colours.asked).toContain("GET /mcp");
  });

  it("take no offence at what the protocol leaves to the server, nor at what the router counts", async () => {
    colours.behaviour = {
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

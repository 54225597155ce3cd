import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UserError } from "../../../contract/errors.ts";
import { createFaultInjector } from "../../../images/reference-server/src/fault-injector.ts";
import { FAULT_KNOBS, parseFaults } from "../../../images/reference-server/src/faults.ts";
import { createLog } from "../../../images/reference-server/src/log.ts";

const silent = createLog("error", {}, () => undefined);

describe("parseFaults", () => {
  test("takes every knob with its units", () => {
    expect(parseFaults("")).toEqual({});
    expect(parseFaults("errors=0.2, latency=2000ms@0.02 ,ws-latency=0.3s,ws-reject=.5,ws-drop=0.05")).toEqual({
      errors: 0.2,
      latency: { milliseconds: 2000, share: 0.02 },
      webSocketLatencyMs: 300,
      webSocketReject: { share: 0.5, status: 503 },
      webSocketDrop: 0.05,
    });
    expect(parseFaults("latency=2s,ready-after=3s,crash-after=1m,leak=1.5MB/s")).toEqual({
      latency: { milliseconds: 2000, share: 1 },
      readyAfterMs: 3000,
      crashAfterMs: 60_000,
      leakBytesPerSecond: 1_500_000,
    });
    expect(parseFaults("errors=1,sound-requests=50")).toEqual({ errors: 1, soundRequests: 50 });
    expect(parseFaults("refusals=0.1,stream-errors=.2,sound-requests=9,ws-reject=0.2:403")).toEqual({
      refusals: { share: 0.1, status: 403 },
      streamErrors: 0.2,
      soundRequests: 9,
      webSocketReject: { share: 0.2, status: 403 },
    });
    expect(parseFaults("refusals=1:404")).toEqual({ refusals: { share: 1, status: 404 } });
    expect(parseFaults("connection-cpu=5ms")).toEqual({ connectionCpuMs: 5 });
    expect(parseFaults("never-ready")).toEqual({ neverReady: true });
  });

  test.each([
    ["error=0.2", "no such knob"],
    ["toString=1", "no such knob"],
    ["errors", "a value is missing"],
    ["errors=", "a value is missing"],
    ["errors=1.2", "share"],
    ["errors=0", "share"],
    ["errors=20%", "share"],
    ["errors=0.1,errors=0.2", "given twice"],
    ["latency=2000", "time"],
    ["latency=0ms", "time"],
    ["latency=2s@", "share"],
    ["latency=2s@2", "share"],
    ["latency=2s@0.1@0.1", "form"],
    ["refusals=0.1:500", "from 400 to 499"],
    ["refusals=0.1:", "status"],
    ["refusals=2:404", "share"],
    ["refusals=0.1:404:404", "form"],
    ["ws-reject=0.1:200", "from 400 to 599"],
    ["stream-errors=0.1:500", "share"],
    ["errors=0.2,sound-requests=0", "count"],
    ["errors=0.2,sound-requests=1.5", "count"],
    ["never-ready,sound-requests=50", "no fault to delay"],
    ["crash-after=100000m", "time"],
    ["leak=1MB", "rate"],
    ["never-ready=true", "takes no value"],
    ["never-ready,ready-after=3s", "contradicts"],
  ])("refuses %s", (text, problem) => {
    const parse = () => parseFaults(text);
    expect(parse).toThrow(UserError);
    expect(parse).toThrow(problem);
  });

  test("a refusal lists the whole grammar", () => {
    try {
      parseFaults("nonsense");
      expect.unreachable();
    } catch (error) {
      for (const grammar of Object.values(FAULT_KNOBS)) expect(String((error as UserError).fix)).toContain(grammar);
    }
  });

  test("never fails otherwise than with a UserError", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseFaults(text);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
    );
  });
});

describe("createFaultInjector", () => {
  test("hits the share of the requests that the knob says", async () => {
    let next = 0;
    // 0.00, 0.01, … 0.99: every hundredth once.
    const random = () => (next++ % 100) / 100;
    const injector = createFaultInjector(parseFaults("errors=0.2"), silent, () => undefined, random);
    let failed = 0;
    for (let request = 0; request < 100; request++) if ((await injector.beforeRequest(false)) === 500) failed += 1;
    expect(failed).toBe(20);
    expect(injector.touchesRequests).toBe(true);
  });

  test("spares the first requests with sound-requests, and no later one", async () => {
    const injector = createFaultInjector(parseFaults("errors=1,sound-requests=3"), silent, () => undefined);
    const failed: (number | undefined)[] = [];
    for (let request = 0; request < 5; request++) failed.push(await injector.beforeRequest(false));
    expect(failed).toEqual([undefined, undefined, undefined, 500, 500]);
  });

  test("fails only event streams and dashboards with stream-errors, and spares the first requests", async () => {
    const injector = createFaultInjector(parseFaults("stream-errors=1,sound-requests=1"), silent, () => undefined);
    expect(injector.failsDashboard()).toBe(false);
    expect(await injector.beforeRequest(true)).toBe(undefined);
    expect(await injector.beforeRequest(false)).toBe(undefined);
    expect(await injector.beforeRequest(true)).toBe(500);
    expect(injector.failsDashboard()).toBe(true);
  });

  test("puts WebSockets' refusals off until the first requests are served", async () => {
    const injector = createFaultInjector(parseFaults("ws-reject=1,sound-requests=1"), silent, () => undefined);
    expect(injector.refusesWebSocket()).toBe(undefined);
    // Counted although no fault touches the requests themselves.
    if (injector.touchesRequests) await injector.beforeRequest(false);
    expect(injector.refusesWebSocket()).toBe(503);
  });

  test("refuses with the status that the knob says", async () => {
    const injector = createFaultInjector(parseFaults("refusals=1:404,ws-reject=1:403"), silent, () => undefined);
    expect(injector.touchesRequests).toBe(true);
    expect(await injector.beforeRequest(false)).toBe(404);
    expect(injector.refusesWebSocket()).toBe(403);
  });

  test("a sound server is ready as soon as it has started, and not before", () => {
    const injector = createFaultInjector({}, silent, () => undefined);
    expect(injector.ready()).toBe(false);
    injector.start();
    expect(injector.ready()).toBe(true);
    expect(injector.touchesRequests).toBe(false);
    expect(injector.refusesWebSocket()).toBe(undefined);
  });
});

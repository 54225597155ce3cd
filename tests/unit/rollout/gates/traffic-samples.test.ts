import { describe, expect, it } from "vitest";
import { ENVOY_METRICS, LATENCY_BUCKETS_MILLISECONDS } from "../../../../contract/envoy/metrics.ts";
import { SERVER_METRICS } from "../../../../contract/server.ts";
import type { Series } from "../../../../operations/rollout/gates/prometheus.ts";
import {
  above,
  added,
  quantile,
  trafficOf,
  TRAFFIC_SELECTOR,
  type Bin,
  type Counts,
} from "../../../../operations/rollout/gates/traffic-samples.ts";

type Samples = readonly (readonly [number, number])[];

const series = (name: string, samples: Samples, labels: Record<string, string> = {}): Series => ({
  labels: { __name__: name, job: "router", instance: "router:9901", slot: "green", kind: "plain", ...labels },
  samples,
});
const scraped = (...times: number[]): Series =>
  series(
    ENVOY_METRICS.requestsTotal,
    times.map((time) => [time, 0]),
  );
const answers = (code: string, samples: Samples, labels: Record<string, string> = {}): Series =>
  series(ENVOY_METRICS.requests, samples, { envoy_response_code_class: code, ...labels });
const sum = (bins: readonly Bin[], key: Exclude<keyof Counts, "latency">): number =>
  bins.reduce((total, { of }) => total + of.green[key], 0);

describe("the traffic of both slots", () => {
  it("counts from 0 a counter whose first scrape is late", () => {
    const all = [
      scraped(100, 102, 104),
      answers("2", [
        [100, 50],
        [102, 60],
        [104, 80],
      ]),
      answers("5", [[104, 7]]),
    ];
    const { bins, known } = trafficOf(all, 100, 105);
    expect(known).toEqual(["green"]);
    expect([sum(bins, "requests"), sum(bins, "errors")]).toEqual([37, 7]);
    // Each bin has its own seconds.
    expect(bins.map(({ at, of }) => [at, of.green.requests, of.green.errors])).toEqual([
      [104, 10, 0],
      [106, 27, 7],
    ]);
  });

  it("is known of a slot that has had only probes, since Envoy has no series before the first plain request", () => {
    const of = (kind: string) => ({ ...scraped(100, 102), labels: { ...scraped().labels, kind } });
    expect(trafficOf([of("probe")], 100, 103).known).toEqual(["green"]);
    for (const kind of ["tester", "session"]) expect(trafficOf([of(kind)], 100, 103).known).toEqual([]);
  });

  it("begins with the first scrape of the step, and ends at the given time", () => {
    const errors = answers("5", [
      [98, 0],
      [100, 30],
      [102, 31],
      [104, 90],
    ]);
    expect(sum(trafficOf([scraped(98, 100, 102, 104), errors], 99, 103).bins, "errors")).toBe(1);
  });

  it("continues after a restart of the router", () => {
    const reset = answers("2", [
      [100, 500],
      [102, 510],
      [104, 20],
    ]);
    expect(sum(trafficOf([scraped(100, 102, 104), reset], 100, 105).bins, "requests")).toBe(30);
  });

  it("adds up several routers, each from its own scrapes", () => {
    const other = { instance: "router-2:9901" };
    const all = [
      scraped(100, 102),
      answers("2", [
        [100, 5],
        [102, 9],
      ]),
      { ...scraped(101, 103), labels: { ...scraped().labels, ...other } },
      answers(
        "2",
        [
          [99, 1000],
          [101, 1005],
          [103, 1006],
        ],
        other,
      ),
    ];
    expect(sum(trafficOf(all, 100, 104).bins, "requests")).toBe(5);
  });

  it("separates WebSockets from plain requests", () => {
    const server = { job: "server", instance: "server-green:8080", kind: "" };
    const all = [
      scraped(100, 102),
      series(
        SERVER_METRICS.cpu,
        [
          [101, 7],
          [103, 7.5],
        ],
        server,
      ),
      answers("1", [[102, 6]], { kind: "websocket" }),
      answers("5", [[102, 2]], { kind: "websocket" }),
      answers("4", [[102, 5]], { kind: "websocket" }),
    ];
    const { bins } = trafficOf(all, 100, 104);
    expect([sum(bins, "requests"), sum(bins, "webSockets"), sum(bins, "webSocketErrors")]).toEqual([0, 8, 2]);
    expect(sum(bins, "webSocketsRefused")).toBe(5);
    expect(bins.reduce((total, { of }) => total + of.green.cpuSeconds, 0)).toBe(0.5);
  });

  it("counts event streams and their failures, but not how long they last", () => {
    expect(TRAFFIC_SELECTOR).not.toContain("kind");
    const stream = { kind: "stream" };
    const all = [
      scraped(100, 102),
      answers("2", [[102, 6]], stream),
      answers("5", [[102, 2]], stream),
      series(`${ENVOY_METRICS.requestTime}_bucket`, [[102, 8]], { ...stream, le: "+Inf" }),
    ];
    const { bins } = trafficOf(all, 100, 104);
    expect([sum(bins, "requests"), sum(bins, "streams"), sum(bins, "streamErrors")]).toEqual([0, 8, 2]);
    expect(added(bins.map(({ of }) => of.green.latency))).toEqual([]);
    // A router of which only its streams are scraped is not known.
    const streams = series(ENVOY_METRICS.requestsTotal, scraped(100, 102).samples, stream);
    expect(trafficOf([streams], 99, 103).known).toEqual([]);
  });

  it("counts nothing of clients that choose their slot, and probes apart from users", () => {
    const slow = (kind: string): Series =>
      series(`${ENVOY_METRICS.requestTime}_bucket`, [[102, 8]], { kind, le: "+Inf" });
    const { bins } = trafficOf(
      [
        scraped(100, 102),
        ...["session", "tester", "tester-websocket"].flatMap((kind) => [
          ...["2", "4", "5"].map((responseClass) => answers(responseClass, [[102, 8]], { kind })),
          slow(kind),
        ]),
        answers("5", [[102, 3]], { kind: "probe" }),
        answers("4", [[102, 2]], { kind: "probe" }),
        answers("4", [[102, 1]]),
        answers("5", [[102, 1]], { kind: "probe-websocket" }),
        slow("probe"),
      ],
      100,
      104,
    );
    const keys = ["requests", "errors", "routed", "routedRefused", "webSockets", "webSocketErrors", "handled"] as const;
    expect(keys.map((key) => sum(bins, key))).toEqual([6, 3, 1, 1, 1, 1, 79]);
    expect(added(bins.map(({ of }) => of.green.latency))).toEqual([[Infinity, 8]]);
  });

  it("does not know a slot with one scrape, with stale scrapes, or without scrapes", () => {
    const two = [scraped(100, 102)];
    expect(trafficOf([scraped(100)], 99, 101).known).toEqual([]);
    expect(trafficOf(two, 99, 120).known).toEqual([]);
    expect(trafficOf(two, 99, 103).known).toEqual(["green"]);
  });
});

describe("a histogram", () => {
  const slow = (requests: number, late: number) =>
    [...LATENCY_BUCKETS_MILLISECONDS, Infinity].map(
      (bound) => [bound, bound < 50 ? 0 : bound < 2500 ? requests - late : requests] as const,
    );

  it("gives quantiles and shares", () => {
    expect(above(slow(1000, 100), 500)).toEqual({ trials: 1000, bad: 100 });
    expect(quantile(slow(1000, 100), 0.5)).toBeGreaterThan(25);
    expect(quantile(slow(1000, 100), 0.5)).toBeLessThan(50);
    expect(quantile(slow(1000, 100), 0.95)).toBe(1750);
    expect(quantile(slow(0, 0), 0.95)).toBeNaN();
    expect(above([], 500)).toEqual({ trials: 0, bad: 0 });
    expect(above(added([slow(10, 1), slow(20, 3)]), 500)).toEqual({ trials: 30, bad: 4 });
  });
});

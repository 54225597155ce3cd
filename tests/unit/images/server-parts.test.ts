import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RETRY_AFTER_SECONDS } from "../../../contract/server.ts";
import { closingTimes, retryAfter } from "../../../images/reference-server/src/lifecycle.ts";
import { quantile } from "../../../images/reference-server/src/metrics.ts";
import { isProductionBrowser, isSameSite } from "../../../images/reference-server/src/origin.ts";

describe("isSameSite", () => {
  const production = "https://exai.example";
  test.each<[string | undefined, string, boolean]>([
    [undefined, "anything", true],
    ["http://127.0.0.1:8080", "127.0.0.1:8080", true],
    ["http://localhost:8080", "localhost:8080", true],
    ["http://[::1]:8080", "[::1]:8080", true],
    ["https://exai.example", "10.0.0.7:8080", true],
    // Another page on the same machine.
    ["http://localhost:3000", "localhost:8080", false],
    // DNS rebinding: the attacker's name resolves to this server, so Origin and Host agree.
    ["http://evil.example:8080", "evil.example:8080", false],
    ["https://evil.example", "exai.example", false],
    ["null", "127.0.0.1:8080", false],
  ])("origin %s on host %s: %s", (origin, host, allowed) => {
    expect(isSameSite({ origin, host }, production)).toBe(allowed);
  });

  test("only the production origin opens WebSockets under browser security", () => {
    expect(isProductionBrowser({ origin: "https://exai.example", host: "x" }, production)).toBe(true);
    expect(isProductionBrowser({ origin: undefined, host: "x" }, production)).toBe(true);
    expect(isProductionBrowser({ origin: "http://exai.example", host: "x" }, production)).toBe(false);
    expect(isProductionBrowser({ origin: "null", host: "x" }, undefined)).toBe(false);
  });
});

describe("retryAfter", () => {
  test("is a whole number of seconds from 1 to the contract's highest", () => {
    const seconds = new Set(Array.from({ length: 1000 }, (_, step) => retryAfter(() => step / 1000)));
    expect([...seconds]).toEqual(Array.from({ length: RETRY_AFTER_SECONDS }, (_, index) => String(index + 1)));
  });
});

describe("closingTimes", () => {
  test("stay in the window, one in each part of it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 0, max: 60_000 }), (count, windowMs) => {
        const times = closingTimes(count, windowMs);
        expect(times).toHaveLength(count);
        for (const [index, time] of times.entries()) {
          expect(time).toBeGreaterThanOrEqual((index * windowMs) / count);
          expect(time).toBeLessThanOrEqual(((index + 1) * windowMs) / count);
        }
      }),
    );
  });
});

describe("quantile", () => {
  const cumulative = new Map([
    [0.1, 50],
    [0.5, 90],
    [1, 100],
    [Infinity, 100],
  ]);
  test("interpolates inside the bucket, as histogram_quantile does", () => {
    expect(quantile(0.5, cumulative)).toBeCloseTo(0.1);
    expect(quantile(0.7, cumulative)).toBeCloseTo(0.3);
    expect(quantile(0.99, cumulative)).toBeCloseTo(0.95);
  });
  test("knows nothing without observations, and no more than the highest bound beyond it", () => {
    expect(quantile(0.5, new Map([[Infinity, 0]]))).toBeNull();
    expect(
      quantile(
        0.9,
        new Map([
          [1, 1],
          [Infinity, 10],
        ]),
      ),
    ).toBe(1);
  });
});

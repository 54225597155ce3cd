import { describe, expect, it } from "vitest";
import { formatStatus } from "../../../../cli/format/stack.ts";
import { age, span, utc } from "../../../../cli/format/units.ts";

const NOW = Date.parse("2026-11-29T12:00:00Z");

describe("times for a person", () => {
  it.each([
    [-5, "0.0 s"],
    [4.24, "4.2 s"],
    [80, "80 s"],
    [720, "12 min"],
    [12_600, "3.5 h"],
    [172_800, "2.0 d"],
    [Number.NaN, "-"],
    [Number.POSITIVE_INFINITY, "-"],
  ])("%d seconds are %s", (seconds, text) => {
    expect(span(seconds)).toBe(text);
  });

  it.each([
    ["2026-11-29T11:00:00Z", "60 min"],
    ["0001-01-01T00:00:00Z", ""],
    ["1970-01-01T00:00:00Z", ""],
    ["soon", ""],
    [undefined, ""],
  ])("the age of %s is %s", (since, text) => {
    expect(age(NOW, since)).toBe(text);
  });

  it("shows no date that is none", () => {
    expect([utc(new Date("soon")), utc(new Date("0001-01-01T00:00:00Z")), utc(new Date(NOW))]).toEqual([
      "-",
      "-",
      "2026-11-29 12:00:00",
    ]);
  });

  it("shows no age of a service that never ran, or that has ended", () => {
    const [table] = formatStatus(
      {
        stack: "local",
        up: true,
        overrides: {},
        unhealthy: ["router", "server-blue"],
        services: [
          { service: "postgres", state: "healthy", startedAt: "2026-11-29T11:00:00Z", ports: [] },
          { service: "router", state: "created", ports: [] },
          { service: "server-blue", state: "exited", startedAt: "2026-11-29T11:00:00Z", exitCode: 137, ports: [] },
        ],
      },
      { at: NOW },
    );
    const rows = table?.type === "table" ? table.rows : [];
    expect(rows.map((row) => row[3])).toEqual(["60 min", "", ""]);
  });
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EVENTS_PAGE, EVENTS_SCHEMA, eventsPages } from "../../../docs/generate-events.ts";
import { eventErrors } from "../../support/event-schema.ts";

const at = "2026-11-29T09:00:00.000Z";

describe("docs/events.md and docs/events.schema.json", () => {
  it("match the types of the events", async () => {
    const { schema, page } = await eventsPages();
    const advice = "run: node docs/generate-events.ts";
    expect(readFileSync(EVENTS_SCHEMA, "utf8"), advice).toBe(schema);
    expect(readFileSync(EVENTS_PAGE, "utf8"), advice).toBe(page);
  });
});

describe("the schema", () => {
  it("accepts an event as it is printed", () => {
    expect(eventErrors({ type: "step", at, id: "a", title: "first", status: "done", seconds: 1 })).toEqual([]);
  });

  it.each([
    ["a missing field", { type: "step", at, id: "a", status: "done" }],
    ["an unknown field", { type: "step", at, id: "a", title: "first", status: "done", more: 1 }],
    ["an unknown value", { type: "step", at, id: "a", title: "first", status: "over" }],
    ["an unknown event", { type: "sentence", at }],
    ["an unknown verb", { type: "result", at, verb: "sing", data: {} }],
    ["data of another verb", { type: "result", at, verb: "backup list", data: { passed: 1 } }],
    ["an event without a time", { type: "log", service: "router", line: "up" }],
  ])("refuses %s", (_, event) => {
    expect(eventErrors(event)).not.toEqual([]);
  });
});

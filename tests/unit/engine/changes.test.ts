import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { describe, expect, test } from "vitest";
import { EngineStream } from "../../../platforms/pulumi/changes.ts";

const URN = "urn:pulumi:local::exai::exai:server:DockerServer$docker:index/container:Container::server-blue";

function step(kind: "resourcePreEvent" | "resOutputsEvent" | "resOpFailedEvent", op: string, at: number): EngineEvent {
  const state = { custom: true };
  const metadata = { op, urn: URN, type: "docker:index/container:Container", diffs: ["image"], new: state, old: state };
  return { sequence: at, timestamp: at, [kind]: { metadata } };
}

function diagnostic(severity: string, message: string, urn = URN): EngineEvent {
  return { sequence: 1, timestamp: 1, diagnosticEvent: { severity, message, urn, color: "never" } } as EngineEvent;
}

const finding = {
  sequence: 1,
  timestamp: 1,
  policyEvent: {
    resourceUrn: URN,
    policyName: "docker-privileged",
    enforcementLevel: "mandatory",
    message: "No container is privileged\nserver-blue privileged: it is",
  },
} as EngineEvent;

describe("an update", () => {
  test("an operation is one step: begun with what differs, ended with its time", () => {
    const stream = new EngineStream({ preview: false });
    const begun = [...stream.read(step("resourcePreEvent", "update", 10))];
    const ended = [...stream.read(step("resOutputsEvent", "update", 14))];
    expect(begun).toEqual([
      { type: "step", id: `update:${URN}`, title: "update Container server-blue", status: "started", detail: "image" },
    ]);
    expect(ended).toEqual([
      { type: "step", id: `update:${URN}`, title: "update Container server-blue", status: "done", seconds: 4 },
    ]);
  });

  test("a failed operation ends its step as failed", () => {
    const stream = new EngineStream({ preview: false });
    expect([...stream.read(step("resOpFailedEvent", "create", 3))]).toMatchObject([{ status: "failed" }]);
  });

  test("what stays, and the logical half of a replacement, make no step", () => {
    const stream = new EngineStream({ preview: false });
    for (const op of ["same", "read", "replace"]) expect([...stream.read(step("resourcePreEvent", op, 1))]).toEqual([]);
  });

  test("the summary counts what changed and what stayed", () => {
    const stream = new EngineStream({ preview: false });
    const summaryEvent = { resourceChanges: { same: 7, create: 2, delete: 1 } };
    expect([...stream.read({ sequence: 9, timestamp: 9, summaryEvent } as unknown as EngineEvent)]).toEqual([]);
    expect([stream.changed, stream.unchanged]).toEqual([3, 7]);
  });
});

describe("diagnostics", () => {
  test("a warning is a note without the engine's slot marks; debugging and progress are not shown", () => {
    const stream = new EngineStream({ preview: false });
    expect([...stream.read(diagnostic("warning", "<{%fg 3%}>old <{%reset%}>"))]).toEqual([
      { type: "note", level: "warning", message: "server-blue: old" },
    ]);
    expect([...stream.read(diagnostic("debug", "RPC"))]).toEqual([]);
    expect([...stream.read(diagnostic("info#err", "…"))]).toEqual([]);
  });
});

describe("a failure", () => {
  test("names the resource and what the engine said of it, without its closing words", () => {
    const stream = new EngineStream({ preview: false });
    const stack = "urn:pulumi:local::exai::pulumi:pulumi:Stack::exai-local";
    for (const event of [diagnostic("error", "port is taken"), diagnostic("error", "update failed", stack)])
      expect([...stream.read(event)]).toEqual([]);
    const error = stream.failure("local", "./exai up local", "nothing");
    expect([error.where, error.message, error.exitCode]).toEqual(["server-blue", "port is taken", 2]);
  });

  test("is told without the frame and the log line that a provider wraps it in", () => {
    const stream = new EngineStream({ preview: false });
    const framed = `1 error occurred:\n\t* creating ${URN}: 1 error occurred:\n\t* container failed to be healthy\n\n`;
    for (const message of ["sdk-v2/provider2.go:571: sdk.helper_schema: container failed", framed])
      expect([...stream.read(diagnostic("error", message))]).toEqual([]);
    expect(stream.failure("local", "./exai up local", "nothing").message).toBe("container failed to be healthy");
  });

  test("a mandatory finding is why, and the exit code says so", () => {
    const stream = new EngineStream({ preview: false });
    const shown = [...stream.read(finding)];
    expect(shown).toMatchObject([{ type: "note", level: "warning" }]);
    expect([...stream.read(diagnostic("error", "preview failed"))]).toEqual([]);
    const error = stream.failure("local", "./exai up local", "nothing");
    expect(error.message).toContain("[mandatory] docker-privileged on server-blue: No container is privileged");
    expect(error.exitCode).toBe(1);
  });

  test("without a word of the engine the given reason stands", () => {
    const error = new EngineStream({ preview: false }).failure("prod", "./exai up prod", "no such plugin");
    expect([error.where, error.message, String(error.fix)]).toEqual(["stack prod", "no such plugin", "./exai up prod"]);
  });
});

test("a preview keeps its changes for a table and makes no steps", () => {
  const stream = new EngineStream({ preview: true });
  expect([...stream.read(step("resourcePreEvent", "create-replacement", 1))]).toEqual([]);
  expect(stream.table()).toMatchObject({ rows: [["replace", "Container", "server-blue", "image"]] });
});

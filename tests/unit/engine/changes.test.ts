import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { describe, expect, test } from "vitest";
import { command, fix } from "../../../contract/fix.ts";
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

const retry = fix`${command("up local")}`;

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

describe("an update that would delete what holds data", () => {
  test.each([
    `resource "${URN}" cannot be deleted\nbecause it is protected. To unprotect the resource, either remove the flag`,
    `unable to replace resource "${URN}" as part of this update: it is currently marked for protection`,
  ])("names it, and the command that deletes it intentionally: %s", (message) => {
    const stream = new EngineStream({ preview: true });
    expect([...stream.read(diagnostic("error", message))]).toEqual([]);
    expect([...stream.read(diagnostic("error", "preview failed", ""))]).toEqual([]);
    const error = stream.failure("local", retry, "");
    expect(error).toMatchObject({ code: "state-conflict", exitCode: 3 });
    expect(error.message).toContain("would delete or replace server-blue, which hold data or open it");
    expect(error.message).not.toContain("urn:");
  });
});

describe("an update", () => {
  test("reports an operation as one step, with its differences and its duration", () => {
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
  test("names the resource and the engine's error, without the closing line", () => {
    const stream = new EngineStream({ preview: false });
    const stack = "urn:pulumi:local::exai::pulumi:pulumi:Stack::exai-local";
    for (const event of [diagnostic("error", "port is taken"), diagnostic("error", "update failed", stack)])
      expect([...stream.read(event)]).toEqual([]);
    const error = stream.failure("local", retry, "nothing");
    expect([error.where, error.message, error.exitCode]).toEqual(["server-blue", "port is taken", 2]);
  });

  test("is reported without the wrapping and the log line of a provider", () => {
    const stream = new EngineStream({ preview: false });
    const framed = `1 error occurred:\n\t* creating ${URN}: 1 error occurred:\n\t* container failed to be healthy\n\n`;
    for (const message of ["sdk-v2/provider2.go:571: sdk.helper_schema: container failed", framed])
      expect([...stream.read(diagnostic("error", message))]).toEqual([]);
    expect(stream.failure("local", retry, "nothing").message).toBe("container failed to be healthy");
  });

  test("is a policy violation if there is a mandatory finding", () => {
    const stream = new EngineStream({ preview: false });
    const shown = [...stream.read(finding)];
    expect(shown).toMatchObject([{ type: "note", level: "warning" }]);
    expect([...stream.read(diagnostic("error", "preview failed"))]).toEqual([]);
    const error = stream.failure("local", retry, "nothing");
    expect(error.message).toContain("[mandatory] docker-privileged on server-blue: No container is privileged");
    expect(error.exitCode).toBe(1);
  });

  test("has the given reason if the engine reports none", () => {
    const error = new EngineStream({ preview: false }).failure("prod", fix`${command("up prod")}`, "no such plugin");
    expect([error.where, error.message, String(error.fix)]).toEqual(["stack prod", "no such plugin", "exai up prod"]);
  });
});

test("a preview collects its changes and yields no steps", () => {
  const stream = new EngineStream({ preview: true });
  expect([...stream.read(step("resourcePreEvent", "create-replacement", 1))]).toEqual([]);
  expect(stream.changes).toMatchObject([{ verb: "replace", kind: "Container", name: "server-blue", keys: ["image"] }]);
});

import type { EngineEvent, StepEventMetadata } from "@pulumi/pulumi/automation/index.js";
import { UserError } from "../../contract/errors.ts";
import type { ProgressEvent } from "../../contract/events.ts";
import { command, fix, type Fix } from "../../contract/fix.ts";

/** One operation of the engine on one resource. */
export interface Change {
  readonly verb: string;
  readonly urn: string;
  readonly name: string;
  /** Type without package and module, e.g. `Container`. */
  readonly kind: string;
  /** Names of the inputs that differ. */
  readonly keys: readonly string[];
}

/** A finding of the policy pack. */
export interface PolicyFinding {
  readonly policy: string;
  readonly mandatory: boolean;
  /** Name of the resource; empty for a finding about the whole stack. */
  readonly resource: string;
  readonly message: string;
}

/** Names of the engine's operations. The others (`same`, `read`, the logical `replace`) change nothing on their own. */
const VERBS: Readonly<Record<string, string>> = {
  create: "create",
  update: "update",
  delete: "delete",
  "create-replacement": "replace",
  "delete-replaced": "delete the old",
  import: "import",
  discard: "forget",
};

/**
 * Turns the engine's events into progress: a step per operation on a resource, diagnostics and findings as notes. Components
 * and unchanged resources are only counted.
 */
export class EngineStream {
  readonly changes: Change[] = [];
  readonly findings: PolicyFinding[] = [];
  /** Errors, each with its resource; empty if it concerns none. */
  readonly errors: { readonly where: string; readonly message: string }[] = [];
  /** Operations by name, as the engine counts them. */
  counts: Readonly<Record<string, number>> = {};
  readonly #started = new Map<string, number>();
  /** Whether no resource is changed. */
  readonly preview: boolean;

  constructor(options: { readonly preview: boolean }) {
    this.preview = options.preview;
  }

  /** Resources that were, or will be, changed. */
  get changed(): number {
    return Object.entries(this.counts).reduce((sum, [op, count]) => (op === "same" ? sum : sum + count), 0);
  }

  /** Operations that have begun and have not ended, such as `create Container server-blue`. */
  get unfinished(): readonly string[] {
    return this.changes.filter(({ verb, urn }) => this.#started.has(`${verb}:${urn}`)).map(titleOf);
  }

  /** Resources that do not change. */
  get unchanged(): number {
    return this.counts.same ?? 0;
  }

  /** The progress that one event reports. Keeps what a summary needs. */
  *read(event: EngineEvent): Generator<ProgressEvent> {
    if (event.resourcePreEvent !== undefined) yield* this.#begins(event.resourcePreEvent.metadata, event.timestamp);
    else if (event.resOutputsEvent !== undefined)
      yield* this.#ends(event.resOutputsEvent.metadata, event.timestamp, "done");
    else if (event.resOpFailedEvent !== undefined)
      yield* this.#ends(event.resOpFailedEvent.metadata, event.timestamp, "failed");
    else if (event.policyEvent !== undefined) {
      const { policyName, resourceUrn, enforcementLevel, message } = event.policyEvent;
      const mandatory = enforcementLevel === "mandatory";
      const finding = { policy: policyName, mandatory, resource: nameOf(resourceUrn ?? ""), message: plain(message) };
      this.findings.push(finding);
      yield { type: "note", level: "warning", message: findingLine(finding) };
    } else if (event.diagnosticEvent !== undefined) {
      const { ephemeral, urn, message } = event.diagnosticEvent;
      // The engine also sends the lowest level, which the SDK's type lacks.
      const severity: string = event.diagnosticEvent.severity;
      const where = nameOf(urn ?? "");
      const text = plain(message);
      if (ephemeral === true || text === "") return;
      if (severity === "error") this.errors.push({ where, message: essence(text) });
      else if (severity === "info" || severity === "warning")
        yield { type: "note", level: severity, message: where === "" ? text : `${where}: ${text}` };
    } else if (event.summaryEvent !== undefined) {
      this.counts = event.summaryEvent.resourceChanges;
    }
  }

  /**
   * The error behind an operation that failed. Mandatory findings come first: they stopped the engine.
   *
   * @param retry how to run the operation again after the cause is fixed
   */
  failure(stack: string, retry: Fix, fallback: string): UserError {
    const mandatory = this.findings.filter((finding) => finding.mandatory);
    if (mandatory.length > 0)
      return new UserError(
        "policy-violation",
        `stack ${stack}`,
        `the policies do not allow it:\n  ${mandatory.map(findingLine).join("\n  ")}`,
        fix`${command(`plan ${stack}`)}   # every finding, with its fix`,
      );
    const causes = this.errors.filter(
      // The engine's last line and a provider's log line repeat the other errors.
      ({ message }) => !/^(update|preview|destroy) failed$|^sdk-v2\/provider2\.go:/.test(message),
    );
    const held = causes.filter(({ message }) => /because it is protected|marked for protection/.test(message));
    if (held.length > 0) return protectedData(stack, [...new Set(held.map(({ where }) => where))].sort());
    const [first] = causes;
    if (first === undefined) return new UserError("failed", `stack ${stack}`, fallback, retry);
    const rest = causes.slice(1).map(({ where, message }) => `\n  ${where}: ${message}`);
    return new UserError(
      "failed",
      first.where === "" ? `stack ${stack}` : first.where,
      `${first.message}${rest.join("")}`,
      retry,
    );
  }

  *#begins(metadata: StepEventMetadata, timestamp: number): Generator<ProgressEvent> {
    const change = changeOf(metadata);
    if (change === undefined) return;
    this.changes.push(change);
    if (this.preview) return;
    const id = `${change.verb}:${change.urn}`;
    this.#started.set(id, timestamp);
    const keys = change.keys.length === 0 ? {} : { detail: change.keys.join(", ") };
    yield { type: "step", id, title: titleOf(change), status: "started", ...keys };
  }

  *#ends(metadata: StepEventMetadata, timestamp: number, status: "done" | "failed"): Generator<ProgressEvent> {
    const change = changeOf(metadata);
    if (change === undefined || this.preview) return;
    const id = `${change.verb}:${change.urn}`;
    const seconds = timestamp - (this.#started.get(id) ?? timestamp);
    this.#started.delete(id);
    yield { type: "step", id, title: titleOf(change), status, seconds };
  }
}

/** The error about an update that would delete or replace protected resources. A `down` leaves them. */
function protectedData(stack: string, names: readonly string[]): UserError {
  return new UserError(
    "state-conflict",
    `stack ${stack}`,
    `it would delete or replace ${names.join(", ")}, which hold data or open it, and are protected`,
    fix`undo the change; or, if the data may be lost: ${command(`down ${stack} --volumes`)}, then ${command(`up ${stack}`)}`,
  );
}

/** One line about a finding. */
export function findingLine({ policy, mandatory, resource, message }: PolicyFinding): string {
  const [first = ""] = message.split("\n").filter((line) => line.trim() !== "");
  return `${mandatory ? "[mandatory]" : "[advisory]"} ${policy}${resource === "" ? "" : ` on ${resource}`}: ${first.trim()}`;
}

function changeOf({ op, urn, type, diffs, keys, old, new: next }: StepEventMetadata): Change | undefined {
  const verb = VERBS[op];
  const custom = (next ?? old)?.custom === true;
  if (verb === undefined || !custom || type.startsWith("pulumi:")) return undefined;
  return { verb, urn, name: nameOf(urn), kind: type.slice(type.lastIndexOf(":") + 1), keys: diffs ?? keys ?? [] };
}

function titleOf(change: Change): string {
  return `${change.verb} ${change.kind} ${change.name}`;
}

/** The last part of a URN; empty for the stack itself. */
export function nameOf(urn: string): string {
  return urn.includes("pulumi:pulumi:Stack::") ? "" : urn.slice(urn.lastIndexOf("::") + (urn.includes("::") ? 2 : 1));
}

/** A provider's error without its wrapping: `1 error occurred: * creating urn:…: 1 error occurred: * …`. */
function essence(message: string): string {
  const lines = message.split("\n").map((line) => line.replace(/^\s*\* /, "").trimEnd());
  return lines.filter((line) => line !== "" && !/\d+ errors? occurred:$/.test(line)).join("\n");
}

/** A message without the engine's color tags. */
function plain(message: string): string {
  return message.replaceAll(/<\{%[^%]*%\}>/g, "").trim();
}

import { UserError } from "../../../contract/errors.ts";

/** The faults of a server. Absent: the server has none. Times in milliseconds, shares from 0 to 1. */
export interface Faults {
  /** Share of user HTTP requests that are answered with 500. */
  readonly errors?: number;
  /** Added to a share of user HTTP requests before they are served. */
  readonly latency?: { readonly milliseconds: number; readonly share: number };
  /** Share of user HTTP requests that are refused, and the status, from 400 to 499. */
  readonly refusals?: { readonly share: number; readonly status: number };
  /** Share of event streams and dashboards' WebSockets that are answered with 500. */
  readonly streamErrors?: number;
  /** Number of user HTTP requests after the start without faults; WebSockets have none until then either. The release passes its smoke test. */
  readonly soundRequests?: number;
  /** Added to every WebSocket message and to every ping. */
  readonly webSocketLatencyMs?: number;
  /** Share of WebSocket upgrades that are refused, and the status, from 400 to 599. */
  readonly webSocketReject?: { readonly share: number; readonly status: number };
  /** Share of WebSocket messages on which the connection is cut instead of an answer. */
  readonly webSocketDrop?: number;
  /** CPU time that every new connection costs, on both ports. */
  readonly connectionCpuMs?: number;
  /** `/ready` always answers 503. */
  readonly neverReady?: true;
  /** `/ready` answers 503 for this long after the start. */
  readonly readyAfterMs?: number;
  /** The process exits with code 1 after this long. */
  readonly crashAfterMs?: number;
  /** Memory leak, bytes per second. */
  readonly leakBytesPerSecond?: number;
}

/** Knobs with the grammar that error messages and the README show. */
export const FAULT_KNOBS = {
  errors: "errors=<share>",
  latency: "latency=<time>[@<share>]",
  refusals: "refusals=<share>[:<status>]",
  "stream-errors": "stream-errors=<share>",
  "sound-requests": "sound-requests=<count>",
  "ws-latency": "ws-latency=<time>",
  "ws-reject": "ws-reject=<share>[:<status>]",
  "ws-drop": "ws-drop=<share>",
  "connection-cpu": "connection-cpu=<time>",
  "never-ready": "never-ready",
  "ready-after": "ready-after=<time>",
  "crash-after": "crash-after=<time>",
  leak: "leak=<size>/s",
} as const;

type Knob = keyof typeof FAULT_KNOBS;

const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };
const BYTES_PER_UNIT: Readonly<Record<string, number>> = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9 };

/** Longest delay that a timer of Node can hold, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

function refuse(knob: string, problem: string): UserError {
  const known = Object.values(FAULT_KNOBS).join(", ");
  return new UserError("failed", "EXAI_FAULTS", `'${knob}': ${problem}`, `write a comma-separated list of: ${known}`);
}

function parseShare(knob: string, text: string): number {
  const share = /^\d*\.?\d+$/.test(text) ? Number(text) : NaN;
  if (!(share > 0 && share <= 1)) throw refuse(knob, "the share must be above 0 and at most 1, e.g. 0.2");
  return share;
}

function parseCount(knob: string, text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count > 0 && Number.isSafeInteger(count)))
    throw refuse(knob, "the count must be a whole number above 0, e.g. 50");
  return count;
}

function parseTime(knob: string, text: string): number {
  const match = /^(\d*\.?\d+)(ms|s|m)$/.exec(text);
  const milliseconds = Number(match?.[1]) * (MS_PER_UNIT[match?.[2] ?? ""] ?? NaN);
  if (!(milliseconds > 0 && milliseconds <= LONGEST_MS))
    throw refuse(knob, "the time must be a positive number with unit ms, s or m, e.g. 2000ms or 5s");
  return milliseconds;
}

function parseRefusal(
  knob: string,
  text: string,
  usual: number,
  highest: number,
): { readonly share: number; readonly status: number } {
  const [share = "", code, ...rest] = text.split(":");
  if (rest.length > 0) throw refuse(knob, "the form is <share>[:<status>]");
  const status = code === undefined ? usual : /^\d{3}$/.test(code) ? Number(code) : NaN;
  if (!(status >= 400 && status <= highest))
    throw refuse(knob, `the status must be from 400 to ${String(highest)}, e.g. ${String(usual)}`);
  return { share: parseShare(knob, share), status };
}

function parseRate(knob: string, text: string): number {
  const match = /^(\d*\.?\d+)(B|KB|MB|GB)\/s$/.exec(text);
  const bytes = Number(match?.[1]) * (BYTES_PER_UNIT[match?.[2] ?? ""] ?? NaN);
  if (!(bytes > 0)) throw refuse(knob, "the rate must be a positive size per second, e.g. 1MB/s");
  return bytes;
}

function parseKnob(knob: string): Faults {
  const equals = knob.indexOf("=");
  const name = equals < 0 ? knob : knob.slice(0, equals);
  const value = equals < 0 ? undefined : knob.slice(equals + 1);
  if (!Object.hasOwn(FAULT_KNOBS, name)) throw refuse(knob, "there is no such knob");
  if (name === "never-ready") {
    if (value !== undefined) throw refuse(knob, "this knob takes no value");
    return { neverReady: true };
  }
  if (value === undefined || value === "") throw refuse(knob, `a value is missing: ${FAULT_KNOBS[name as Knob]}`);
  switch (name as Exclude<Knob, "never-ready">) {
    case "errors":
      return { errors: parseShare(knob, value) };
    case "latency": {
      const [time = "", share, ...rest] = value.split("@");
      if (rest.length > 0) throw refuse(knob, `the form is ${FAULT_KNOBS.latency}`);
      return {
        latency: { milliseconds: parseTime(knob, time), share: share === undefined ? 1 : parseShare(knob, share) },
      };
    }
    case "refusals":
      return { refusals: parseRefusal(knob, value, 403, 499) };
    case "stream-errors":
      return { streamErrors: parseShare(knob, value) };
    case "sound-requests":
      return { soundRequests: parseCount(knob, value) };
    case "ws-latency":
      return { webSocketLatencyMs: parseTime(knob, value) };
    case "ws-reject":
      return { webSocketReject: parseRefusal(knob, value, 503, 599) };
    case "ws-drop":
      return { webSocketDrop: parseShare(knob, value) };
    case "connection-cpu":
      return { connectionCpuMs: parseTime(knob, value) };
    case "ready-after":
      return { readyAfterMs: parseTime(knob, value) };
    case "crash-after":
      return { crashAfterMs: parseTime(knob, value) };
    case "leak":
      return { leakBytesPerSecond: parseRate(knob, value) };
  }
}

/**
 * Reads the value of EXAI_FAULTS: a comma-separated list of {@link FAULT_KNOBS}; an empty text means no faults.
 *
 * Throws a `UserError` that quotes the knob when one is unknown, malformed, given twice or contradicts another.
 */
export function parseFaults(text: string): Faults {
  let faults: Faults = {};
  for (const knob of text.split(",").map((part) => part.trim())) {
    if (knob === "") continue;
    const parsed = parseKnob(knob);
    if (Object.keys(parsed).some((key) => key in faults)) throw refuse(knob, "this knob is given twice");
    faults = { ...faults, ...parsed };
  }
  if (faults.neverReady && faults.readyAfterMs !== undefined)
    throw refuse("never-ready", "it contradicts ready-after; keep one of them");
  const putOff = [faults.errors, faults.latency, faults.refusals, faults.streamErrors, faults.webSocketReject];
  if (faults.soundRequests !== undefined && putOff.every((fault) => fault === undefined))
    throw refuse(
      "sound-requests",
      "has no fault to delay; also set errors, latency, refusals, stream-errors or ws-reject",
    );
  return faults;
}

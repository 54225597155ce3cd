import type { Slot } from "../../../contract/slots.ts";
import type { Operation, ProgressEvent } from "../../../contract/events.ts";
import { liveMetrics } from "../gates/live-metrics.ts";
import { secondsSince } from "../host/boot-clock.ts";
import type { StateRun } from "./state-run.ts";
import type { StepResult } from "./step-result.ts";

/** Milliseconds between two reads of the open connections. */
const POLL_MS = 500;

/**
 * Waits until a slot without users has no open connections and no MCP sessions, or until its drain deadline, counted from
 * when it lost its users. Closes nothing.
 */
export async function* awaitDrained(run: StateRun, slot: Slot, drainSeconds: number): Operation<StepResult> {
  const since = run.journal.left?.[slot];
  const started = performance.now();
  const spent = since === undefined ? 0 : await secondsSince(since);
  let said: string | undefined;
  for (;;) {
    // `spent` is read once: a change of the wall clock must not extend the wait.
    const seconds = drainSeconds - spent - (performance.now() - started) / 1000;
    const [open, sessions] = await Promise.all([openOn(run, slot), sessionsOn(run, slot)]);
    if (open === 0 && sessions === 0) return { outcome: "done", detail: `no open connections on ${slot}` };
    const what = left(open, sessions);
    if (seconds <= 0) return { outcome: "done", detail: `${what} on ${slot} at the deadline` };
    const detail = `${what} on ${slot}; they are closed in ${seconds.toFixed(0)} s`;
    if (detail !== said) yield progress(run, detail);
    said = detail;
    await run.sleep(POLL_MS);
  }
}

/** Closes the connections of a slot and stops its server. */
export async function* emptySlot(run: StateRun, slot: Slot): Operation<StepResult> {
  const before = await openOn(run, slot);
  const started = performance.now();
  let stopped = false;
  const stopping = run.drain(slot).finally(() => {
    stopped = true;
  });
  // Awaited below.
  stopping.catch(() => undefined);
  let open = before;
  while (!stopped) {
    if (open !== undefined && open > 0) yield progress(run, `${String(open)} open connections on ${slot}`);
    await Promise.race([run.sleep(POLL_MS), stopping]);
    open = await openOn(run, slot);
  }
  await stopping;
  const closed = before === undefined || before === 0 ? "" : `${String(before)} connections closed, `;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  return { outcome: "done", detail: `${closed}${slot} stopped after ${seconds} s` };
}

/** Open requests, event streams and WebSockets of a slot; undefined if the router does not answer. */
async function openOn(run: StateRun, slot: Slot): Promise<number | undefined> {
  try {
    const { requests, streams, webSockets } = (await run.context.traffic.open())[slot];
    return requests + streams + webSockets;
  } catch {
    return undefined;
  }
}

/**
 * MCP sessions of a slot; undefined if the number is unknown. A session has no connection between two calls, so only the
 * servers can count sessions; Prometheus has their number with a delay of a few seconds.
 */
async function sessionsOn(run: StateRun, slot: Slot): Promise<number | undefined> {
  const hadUsers = run.journal.left?.[slot]?.users === true;
  // Sessions of smoke tests and probes do not count.
  if (!hadUsers || run.machine.evicted.includes(slot)) return 0;
  const { prometheusUrl, traffic } = run.context;
  const figures = await liveMetrics(prometheusUrl);
  const sessions = figures?.[slot].mcpSessions;
  if (sessions !== undefined) return sessions;
  const ready = await traffic.readiness().catch(() => undefined);
  // Without a server there are no sessions.
  return ready?.[slot] === false ? 0 : undefined;
}

function left(open: number | undefined, sessions: number | undefined): string {
  const parts = [
    open === undefined ? "an unknown number of open connections" : open > 0 ? `${String(open)} open connections` : "",
    sessions === undefined
      ? "an unknown number of MCP sessions"
      : sessions > 0
        ? `${String(sessions)} MCP sessions`
        : "",
  ];
  return parts.filter((part) => part !== "").join(" and ");
}

function progress(run: StateRun, detail: string): ProgressEvent {
  const { name } = run.machine.state;
  return { type: "step", id: name, title: name, status: "progress", detail };
}

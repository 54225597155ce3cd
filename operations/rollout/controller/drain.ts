import type { Slot } from "../../../contract/slots.ts";
import type { ProgressEvent } from "../../../contract/events.ts";
import { figuresNow } from "../commands/live-metrics.ts";
import { secondsSince } from "../host/boot-clock.ts";
import type { RolloutSession } from "./store.ts";
import type { Working } from "./step-result.ts";

/** Milliseconds between two looks at what is still open. */
const LOOK_MS = 500;

/**
 * Waits until nothing is open on a slot that has no users any more and no MCP session is left there, or until its time is
 * over, counted from when it lost them. Nothing is closed here.
 */
export async function* awaitQuiet(session: RolloutSession, slot: Slot, drainSeconds: number): Working {
  const since = session.journal.left?.[slot];
  const started = performance.now();
  const spent = since === undefined ? 0 : await secondsSince(since);
  let said: string | undefined;
  for (;;) {
    // A wall clock that jumped back must not make it longer than it is.
    const seconds = drainSeconds - spent - (performance.now() - started) / 1000;
    const [open, sessions] = await Promise.all([openOn(session, slot), sessionsOn(session, slot)]);
    if (open === 0 && sessions === 0) return { outcome: "done", detail: `nothing is open on ${slot}` };
    const what = left(open, sessions);
    if (seconds <= 0) return { outcome: "done", detail: `${what} on ${slot}, whose time is over` };
    const detail = `${what} on ${slot}; ${seconds.toFixed(0)} s more, then they are ended`;
    if (detail !== said) yield progress(session, detail);
    said = detail;
    await session.sleep(LOOK_MS);
  }
}

/** Closes what is open on a slot and stops what runs in its slot. */
export async function* emptySlot(session: RolloutSession, slot: Slot): Working {
  const before = await openOn(session, slot);
  const started = performance.now();
  let stopped = false;
  const stopping = session.drain(slot).finally(() => {
    stopped = true;
  });
  // Judged below; until then a failure is nobody's.
  stopping.catch(() => undefined);
  let open = before;
  while (!stopped) {
    if (open !== undefined && open > 0)
      yield progress(session, `${String(open)} connections are still open on ${slot}`);
    await Promise.race([session.sleep(LOOK_MS), stopping]);
    open = await openOn(session, slot);
  }
  await stopping;
  const closed = before === undefined || before === 0 ? "" : `${String(before)} connections closed, `;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  return { outcome: "done", detail: `${closed}${slot} is stopped after ${seconds} s` };
}

/** Event streams, WebSockets and requests that are open on a slot; undefined where the router does not say. */
async function openOn(session: RolloutSession, slot: Slot): Promise<number | undefined> {
  try {
    const { requests, streams, webSockets } = (await session.context.traffic.open())[slot];
    return requests + streams + webSockets;
  } catch {
    return undefined;
  }
}

/**
 * MCP sessions that still lead to a slot; undefined where nobody knows. Between two calls a session is no connection: only the
 * servers count them, and Prometheus has that as of its last scrape, which is late by seconds only.
 */
async function sessionsOn(session: RolloutSession, slot: Slot): Promise<number | undefined> {
  const hadUsers = session.journal.left?.[slot]?.users === true;
  // What a smoke test or a probe has left behind is nobody's.
  if (!hadUsers || session.machine.evicted.includes(slot)) return 0;
  const { prometheusUrl, traffic } = session.context;
  const figures = await figuresNow(prometheusUrl);
  const sessions = figures?.[slot].mcpSessions;
  if (sessions !== undefined) return sessions;
  const ready = await traffic.readiness().catch(() => undefined);
  // Where no server answers, no session goes on.
  return ready?.[slot] === false ? 0 : undefined;
}

function left(open: number | undefined, sessions: number | undefined): string {
  const parts = [
    open === undefined
      ? "the router does not say what is open"
      : open > 0
        ? `${String(open)} connections are open`
        : "",
    sessions === undefined
      ? "Prometheus does not say how many MCP sessions are left"
      : sessions > 0
        ? `${String(sessions)} MCP sessions are left`
        : "",
  ];
  return parts.filter((part) => part !== "").join(" and ");
}

function progress(session: RolloutSession, detail: string): ProgressEvent {
  const { name } = session.machine.state;
  return { type: "step", id: name, title: name, status: "progress", detail };
}

import { setTimeout as sleep } from "node:timers/promises";
import type { Faults } from "./faults.ts";
import type { Log } from "./log.ts";

/** Injects the configured faults. */
export interface FaultInjector {
  /** Whether user HTTP requests have to pass {@link beforeRequest}. */
  readonly touchesRequests: boolean;
  /**
   * Waits as long as the knobs say; a status means that the request must be answered with it.
   *
   * @param stream whether it asks for an event stream.
   */
  beforeRequest(stream: boolean): Promise<number | undefined>;
  /** Whether this dashboard's WebSocket must be answered with 500. */
  failsDashboard(): boolean;
  /** The status with which this WebSocket upgrade must be refused. */
  refusesWebSocket(): number | undefined;
  /** Whether this WebSocket message must cut its connection. */
  dropsWebSocket(): boolean;
  /** Added to every WebSocket message and ping, in milliseconds. */
  readonly webSocketLatencyMs: number;
  /** Uses the CPU time that a new connection costs. */
  readonly connected: () => void;
  /** Whether `/ready` may answer 200, as far as the knobs are concerned. */
  ready(): boolean;
  /** Starts the clock of ready-after, crash-after and leak. */
  start(): void;
}

/** Interval of the leak, in milliseconds: small steps, so that memory grows linearly. */
const LEAK_STEP_MS = 100;

/** `random` gives numbers from 0 to 1; `crash` ends the process. */
export function createFaultInjector(
  faults: Faults,
  log: Log,
  crash: () => void,
  random: () => number = Math.random,
): FaultInjector {
  const leaked: Buffer[] = [];
  let startedAt = Infinity;
  let spared = 0;
  const sparing = () => spared < (faults.soundRequests ?? 0);
  const hits = (share: number | undefined) => share !== undefined && random() < share;
  return {
    touchesRequests: [
      ...[faults.errors, faults.latency, faults.refusals, faults.streamErrors],
      // The requests are counted.
      faults.soundRequests,
    ].some((fault) => fault !== undefined),
    async beforeRequest(stream) {
      if (sparing()) {
        spared += 1;
        return undefined;
      }
      if (faults.latency && hits(faults.latency.share)) await sleep(faults.latency.milliseconds);
      if (hits(faults.errors) || (stream && hits(faults.streamErrors))) return 500;
      return hits(faults.refusals?.share) ? faults.refusals?.status : undefined;
    },
    failsDashboard: () => !sparing() && hits(faults.streamErrors),
    refusesWebSocket: () =>
      !sparing() && hits(faults.webSocketReject?.share) ? faults.webSocketReject?.status : undefined,
    dropsWebSocket: () => hits(faults.webSocketDrop),
    webSocketLatencyMs: faults.webSocketLatencyMs ?? 0,
    connected: () => {
      const { connectionCpuMs = 0 } = faults;
      if (connectionCpuMs === 0) return;
      const { user, system } = process.threadCpuUsage();
      for (let spent = 0; spent < connectionCpuMs * 1000;) {
        const now = process.threadCpuUsage();
        spent = now.user - user + now.system - system;
      }
    },
    ready: () => !faults.neverReady && performance.now() - startedAt >= (faults.readyAfterMs ?? 0),
    start() {
      startedAt = performance.now();
      if (Object.keys(faults).length > 0) log.warning("EXAI_FAULTS injects faults into this server", { faults });
      if (faults.crashAfterMs !== undefined)
        setTimeout(() => {
          log.error("EXAI_FAULTS crashes this server");
          crash();
        }, faults.crashAfterMs).unref();
      if (faults.leakBytesPerSecond !== undefined) {
        const step = Math.ceil((faults.leakBytesPerSecond * LEAK_STEP_MS) / 1000);
        // Filled, not only reserved: unwritten pages take no memory.
        setInterval(() => leaked.push(Buffer.alloc(step, 1)), LEAK_STEP_MS).unref();
      }
    },
  };
}

import { setTimeout as sleep } from "node:timers/promises";
import type { Faults } from "./faults.ts";
import type { Log } from "./log.ts";

/** Carries out the faults of a server that is told to be bad. */
export interface FaultInjector {
  /** Whether user HTTP requests have to pass {@link beforeRequest}. */
  readonly touchesRequests: boolean;
  /** Waits as long as the knobs say; true means that the request must be answered with 500. */
  beforeRequest(): Promise<boolean>;
  /** Whether this WebSocket upgrade must be refused. */
  refusesWebSocket(): boolean;
  /** Whether this WebSocket message must cut its connection. */
  dropsWebSocket(): boolean;
  /** Added to every WebSocket message and ping, in milliseconds. */
  readonly webSocketLatencyMs: number;
  /** Whether `/ready` may answer 200, as far as the knobs are concerned. */
  ready(): boolean;
  /** Starts the clock of ready-after, crash-after and leak. */
  start(): void;
}

/** Interval of the leak, in milliseconds: small steps, so that memory grows as a line and not as stairs. */
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
  const hits = (share: number | undefined) => share !== undefined && random() < share;
  return {
    touchesRequests: faults.errors !== undefined || faults.latency !== undefined,
    async beforeRequest() {
      if (spared < (faults.soundRequests ?? 0)) {
        spared += 1;
        return false;
      }
      if (faults.latency && hits(faults.latency.share)) await sleep(faults.latency.milliseconds);
      return hits(faults.errors);
    },
    refusesWebSocket: () => hits(faults.webSocketReject),
    dropsWebSocket: () => hits(faults.webSocketDrop),
    webSocketLatencyMs: faults.webSocketLatencyMs ?? 0,
    ready: () => !faults.neverReady && performance.now() - startedAt >= (faults.readyAfterMs ?? 0),
    start() {
      startedAt = performance.now();
      if (Object.keys(faults).length > 0) log.warning("this server has faults, as told by EXAI_FAULTS", { faults });
      if (faults.crashAfterMs !== undefined)
        setTimeout(() => {
          log.error("crashing, as told by EXAI_FAULTS");
          crash();
        }, faults.crashAfterMs).unref();
      if (faults.leakBytesPerSecond !== undefined) {
        const step = Math.ceil((faults.leakBytesPerSecond * LEAK_STEP_MS) / 1000);
        // Filled, not only reserved: pages that nobody writes to take no memory.
        setInterval(() => leaked.push(Buffer.alloc(step, 1)), LEAK_STEP_MS).unref();
      }
    },
  };
}

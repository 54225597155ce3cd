/**
 * How the router waits for a busy server, the same on both platforms: a request that no server has seen is queued and
 * tried again instead of refused. A thousand users who reconnect at once cost a server that needs 5 ms of CPU for each
 * connection ten seconds of work; no limit here may end that wait.
 */
export const QUEUEING = {
  /**
   * Time of one try to connect, in seconds. If the server's backlog is full, Linux repeats its SYN after 1, 3 and 7 s; a
   * shorter time gives up between two of them.
   */
  connectSeconds: 10,
  /** Tries after the first. Each means that no server has received the request, so a retry is safe for any method. */
  retries: 3,
  retryOn: ["connect-failure", "refused-stream", "reset-before-request"],
  /** Bounds of the random, doubling wait before a retry, in milliseconds. */
  backOff: { baseMs: 100, maxMs: 1000 },
  /**
   * Ceilings of connections, queued requests, requests and concurrent retries of one cluster, because a request above them
   * is refused: just below the 28 232 local ports that Linux has for one address. Envoy's own are 1024, and 3 for retries.
   * A budget in percent of the active requests does not fit: a request is not active while it waits for its retry, so the
   * budget is empty when all fail at once. `retries` bounds the work.
   */
  ceiling: 28_000,
} as const;

/**
 * Seconds that an unused connection to a server is kept: below the 5 s after which Node and uvicorn close it. The router must
 * close first, or it loses a request.
 */
export const UPSTREAM_IDLE_SECONDS = 3;

/**
 * Names shared by the monitoring, its targets and its clients: the scrape jobs, the recorded series and the
 * series of the backups. Rollout gates, dashboards and alerts read the same records, so that they cannot disagree.
 */

/** Scrape jobs; the value of the label `job`. */
export const JOBS = {
  server: "server",
  router: "router",
  postgres: "postgres",
  prometheus: "prometheus",
  alertmanager: "alertmanager",
} as const;

/** One of {@link JOBS}. */
export type Job = (typeof JOBS)[keyof typeof JOBS];

/**
 * Series that Prometheus records, as the router saw the traffic. Those that start with `slot:` have the label `slot`
 * alone; those that start with `exai:` cover both slots, as users experience them. Rates are per second.
 */
export const RECORDS = {
  requests1m: "slot:exai_requests:rate1m",
  requests5m: "slot:exai_requests:rate5m",
  /** Responses of class 5xx, including the router's own. */
  errors1m: "slot:exai_errors:rate1m",
  errors5m: "slot:exai_errors:rate5m",
  /** The slot's share of all requests, 0 to 1; absent while there are none. */
  requestShare1m: "slot:exai_requests:share1m",
  /** Errors by requests, 0 to 1; absent while the slot has no requests. */
  errorRatio1m: "slot:exai_error_ratio:rate1m",
  errorRatio5m: "slot:exai_error_ratio:rate5m",
  /** Cumulative histogram, labels slot and le; bounds in milliseconds. */
  durationBuckets1m: "slot_le:exai_request_duration_milliseconds_bucket:rate1m",
  durationBuckets5m: "slot_le:exai_request_duration_milliseconds_bucket:rate5m",
  /** Seconds. */
  p95Seconds1m: "slot:exai_request_duration_seconds:p95_rate1m",
  p95Seconds5m: "slot:exai_request_duration_seconds:p95_rate5m",
  p99Seconds1m: "slot:exai_request_duration_seconds:p99_rate1m",
  p99Seconds5m: "slot:exai_request_duration_seconds:p99_rate5m",
  /** Seconds, from the server's own histogram. */
  webSocketP95Seconds5m: "slot:exai_websocket_latency_seconds:p95_rate5m",
  /** Targets of the server that answer their scrape; 0 where the slot has none. */
  slotTargetsUp: "slot:exai_targets_up:count",
  /**
   * 1 while the tables of all routers that answer send the slot no users and no sessions, 0 while one does. While no
   * router answers, it keeps the last value.
   */
  slotEvicted: "slot:exai_slot_evicted:min",
  /** The same for tables that also call the slot intentionally empty. */
  slotEmptied: "slot:exai_slot_emptied:min",
  userRequests5m: "exai:requests:rate5m",
  userErrors5m: "exai:errors:rate5m",
  userErrorRatio5m: "exai:error_ratio:rate5m",
  /** Seconds. */
  userP95Seconds5m: "exai:request_duration_seconds:p95_rate5m",
  userP99Seconds5m: "exai:request_duration_seconds:p99_rate5m",
  /** Share of requests that took longer than 500 ms, 0 to 1. */
  userSlowRatio5m: "exai:slow_request_ratio:rate5m",
} as const;

/** Series of the backups; the Postgres exporter reads them from the database. */
export const BACKUP_METRICS = {
  /** Gauge, Unix seconds; before the first backup 0 or the declaration of its schedule; labels schedule, kind. */
  lastSuccess: "exai_backup_last_success_timestamp_seconds",
  /** Failed runs so far; labels schedule, kind. */
  failures: "exai_backup_failures_total",
  /** Gauge: backups whose last verification failed. */
  damaged: "exai_repository_damaged_backups",
  /** Gauge, Unix seconds; before the first drill that passed the declaration of the schedule; label schedule. */
  lastDrill: "exai_drill_last_success_timestamp_seconds",
  /** Gauge, seconds: restoring files, replaying the WAL and proving the data in the last drill. */
  drillRto: "exai_drill_last_rto_seconds",
  /** Gauge, seconds: age of the last restored row, where the last drill lost rows. */
  drillRpo: "exai_drill_last_rpo_seconds",
  /** Gauge, Unix seconds: when the last WAL segment reached the archive. */
  walLastArchived: "exai_wal_last_archived_timestamp_seconds",
} as const;

/**
 * Series of what users do, which the exporter reads from the database; sums without users and without content. Those of an hour cover the
 * last one.
 */
export const USE_METRICS = {
  /** Labels provider, operation. */
  providerRequests: "exai_provider_hour_requests",
  providerErrors: "exai_provider_hour_errors",
  providerTokens: "exai_provider_hour_tokens",
  providerP95: "exai_provider_hour_p95_seconds",
  /** Label tool; the 50 that are called most. */
  toolCalls: "exai_tool_hour_calls",
  toolErrors: "exai_tool_hour_errors",
  toolP95: "exai_tool_hour_p95_seconds",
  openUploads: "exai_uploads_open",
  expiredUploads: "exai_uploads_expired",
  completedUploads: "exai_uploads_completed_last_hour",
  missingBytes: "exai_uploads_missing_bytes",
  /** Labels slot, transport. */
  openSessions: "exai_sessions_open",
  /** Label severity. */
  openIncidents: "exai_incidents_open",
  /** Labels slot, release. */
  processes: "exai_processes_running",
  /** Label table. */
  tableBytes: "exai_table_total_bytes",
  tableLiveRows: "exai_table_live_rows",
  tableDeadRows: "exai_table_dead_rows",
} as const;

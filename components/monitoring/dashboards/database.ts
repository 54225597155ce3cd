import { BACKUP_METRICS, JOBS } from "../../../contract/monitoring.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import { board, curves, figure, heading, type ClassicDashboard } from "./panels.ts";

/** Postgres, and how old its backups are. `walArchive`: whether the stack archives the log itself. */
export function databaseDashboard(walArchive: boolean): ClassicDashboard {
  const postgres = `{job="${JOBS.postgres}"}`;
  const user = `{job="${JOBS.postgres}",datname!~"template.*|"}`;
  const dashboard = board("exai-database", "EX-AI: Postgres and backups", "The database, and what could be restored.")
    .withPanel(
      figure({
        title: "Postgres",
        description: "1: the exporter reaches it.",
        unit: "short",
        limits: { bad: 1, belowIsBad: true },
        lines: [{ expr: `max(pg_up${postgres})`, legend: "up" }],
      }),
    )
    .withPanel(
      figure({
        title: "Connections",
        description: "Share of max_connections that is in use.",
        unit: "percentunit",
        limits: { warning: 0.7, bad: 0.9 },
        lines: [
          {
            expr: `sum(pg_stat_activity_count${postgres}) / sum(pg_settings_max_connections${postgres})`,
            legend: "used",
          },
        ],
      }),
    )
    .withPanel(
      figure({
        title: "Age of the newest backup",
        description: "Of any schedule.",
        unit: "s",
        limits: { warning: 7200, bad: 93_600 },
        lines: [{ expr: `time() - max(${BACKUP_METRICS.lastSuccess})`, legend: "age" }],
      }),
    );
  if (walArchive) {
    dashboard.withPanel(
      figure({
        title: "Recovery point",
        description: "Data that would be lost if the database failed now. Objective: under 15 minutes.",
        unit: "s",
        limits: { warning: 300, bad: 900 },
        lines: [{ expr: `time() - max(${BACKUP_METRICS.walLastArchived})`, legend: "age" }],
      }),
    );
  }
  return dashboard
    .withPanel(
      figure({
        title: "Wait for a connection",
        description: "Requests of users that the pool cannot serve yet.",
        unit: "short",
        limits: { warning: 1, bad: 20 },
        lines: [{ expr: `sum(${SERVER_METRICS.databaseConnections}{state="waiting"})`, legend: "waiting" }],
      }),
    )
    .withPanel(
      figure({
        title: "Size",
        description: "Of all databases.",
        unit: "bytes",
        lines: [{ expr: `sum(pg_database_size_bytes${user})`, legend: "size" }],
      }),
    )
    .withRow(heading("Backups"))
    .withPanel(
      curves({
        title: "Age by schedule",
        description: "Time since the last success. A line that rises past its period is a missed backup.",
        unit: "s",
        width: 12,
        lines: [
          {
            expr: `time() - max by (schedule, kind) (${BACKUP_METRICS.lastSuccess})`,
            legend: "{{schedule}} ({{kind}})",
          },
        ],
      }),
    )
    .withPanel(
      curves({
        title: "Failed runs",
        description: "In the history, by schedule.",
        unit: "short",
        width: 12,
        lines: [{ expr: `max by (schedule, kind) (${BACKUP_METRICS.failures})`, legend: "{{schedule}} ({{kind}})" }],
      }),
    )
    .withRow(heading("Postgres"))
    .withPanel(
      curves({
        title: "Connections by state",
        description: "Many «idle in transaction» hold locks.",
        unit: "short",
        lines: [{ expr: `sum by (state) (pg_stat_activity_count${postgres})`, legend: "{{state}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Transactions",
        description: "Per second.",
        unit: "ops",
        lines: [
          { expr: `sum(rate(pg_stat_database_xact_commit${user}[5m]))`, legend: "committed" },
          { expr: `sum(rate(pg_stat_database_xact_rollback${user}[5m]))`, legend: "rolled back" },
        ],
      }),
    )
    .withPanel(
      curves({
        title: "Cache hits",
        description: "Share of blocks that were found in memory.",
        unit: "percentunit",
        lines: [
          {
            expr:
              `sum(rate(pg_stat_database_blks_hit${user}[5m])) / ((sum(rate(pg_stat_database_blks_hit${user}[5m]))` +
              ` + sum(rate(pg_stat_database_blks_read${user}[5m]))) > 0)`,
            legend: "hits",
          },
        ],
      }),
    )
    .withPanel(
      curves({
        title: "Deadlocks",
        description: "Per second; each one failed a transaction.",
        unit: "ops",
        lines: [{ expr: `sum(rate(pg_stat_database_deadlocks${user}[5m]))`, legend: "deadlocks" }],
      }),
    )
    .withPanel(
      curves({
        title: "Longest transaction",
        description: "The oldest one that is open.",
        unit: "s",
        lines: [{ expr: `max by (state) (pg_stat_activity_max_tx_duration${postgres})`, legend: "{{state}}" }],
      }),
    )
    .withPanel(
      curves({
        title: "Locks",
        description: "Held or awaited, by mode.",
        unit: "short",
        lines: [
          { expr: `sum by (mode) (pg_locks_count${user}) > 0 or sum(pg_locks_count${user})`, legend: "{{mode}}" },
        ],
      }),
    )
    .build();
}

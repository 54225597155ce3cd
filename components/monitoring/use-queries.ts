import type { ExporterQuery } from "./exporter.ts";

/** What users do, by the views of the database; contract/monitoring.ts has the names. */
export const USE_QUERIES: Readonly<Record<string, ExporterQuery>> = {
  exai_provider_hour: {
    query:
      "select provider, operation, requests, errors, prompt_tokens + completion_tokens as tokens, p95_seconds" +
      " from exai.provider_status",
    labels: { provider: "Name of the provider", operation: "What was requested" },
    gauges: {
      requests: "Requests in the last hour",
      errors: "Requests of the last hour that failed",
      tokens: "Tokens of the last hour, of questions and answers",
      p95_seconds: "Time that 95 % of the requests of the last hour took at most",
    },
  },
  exai_tool_hour: {
    // A client may call tools by any name, and each name is a series.
    query: "select tool, calls, errors, p95_seconds from exai.tool_status order by calls desc, tool limit 50",
    labels: { tool: "Name of the MCP tool" },
    gauges: {
      calls: "Calls in the last hour",
      errors: "Calls of the last hour that failed",
      p95_seconds: "Time that 95 % of the calls of the last hour took at most",
    },
  },
  exai_uploads: {
    query:
      "select open_uploads as open, missing_bytes, expired_uploads as expired, completed_last_hour from exai.upload_status",
    labels: {},
    gauges: {
      open: "Uploads that wait for bytes",
      missing_bytes: "Bytes that open uploads wait for",
      expired: "Uploads that were given up and are not removed yet",
      completed_last_hour: "Uploads of the last hour that have all bytes",
    },
  },
  exai_sessions: {
    query: "select slot, transport, open_sessions as open from exai.session_status",
    labels: { slot: "Slot that serves them", transport: "How users are connected" },
    gauges: { open: "MCP sessions of users with a token that were used in the last hour" },
  },
  exai_incidents: {
    query: "select severity, open_incidents as open from exai.incident_status",
    labels: { severity: "Severity of the incidents" },
    gauges: { open: "Incidents that are not resolved" },
  },
  exai_processes: {
    query: "select slot, release, processes as running from exai.deployment_status",
    labels: { slot: "Slot of the processes", release: "Release that they run" },
    gauges: { running: "Processes of the server that use the database" },
  },
  exai_table: {
    query: 'select table_name as "table", total_bytes, live_rows, dead_rows from exai.table_status',
    labels: { table: "Name of the table" },
    gauges: {
      total_bytes: "Size with indexes",
      live_rows: "Rows, by the statistics",
      dead_rows: "Rows that vacuum has not removed yet, by the statistics",
    },
  },
};

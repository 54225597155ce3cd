import { JOBS } from "../../../contract/monitoring.ts";
import type { Alert, RuleGroup } from "./rule.ts";
import { steady } from "./samples.ts";

/** The database as the Postgres exporter sees it. */
export function databaseAlerts(): RuleGroup {
  return { name: "exai-database", rules: [postgresDown()] };
}

function postgresDown(): Alert {
  const series = `pg_up{job="${JOBS.postgres}"}`;
  return {
    alert: "PostgresDown",
    severity: "critical",
    symptom: "availability",
    expr: `max(${series}) == 0 or absent(${series})`,
    for: "2m",
    summary: "Postgres does not answer, or its state is unknown",
    description: "The exporter could not connect to Postgres for two minutes, or the exporter itself is gone.",
    runbook: "postgres-down",
    cases: [
      {
        name: "fires: down",
        series: { [`pg_up{job="${JOBS.postgres}",instance="postgres-exporter:9187"}`]: steady(0) },
        fires: [{}],
      },
      { name: "fires: metric gone", without: [/^pg_up/u], fires: [{ labels: { job: JOBS.postgres } }] },
      { name: "quiet: healthy", fires: [] },
    ],
  };
}

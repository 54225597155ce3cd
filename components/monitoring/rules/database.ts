import { JOBS } from "../../../contract/monitoring.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";
import { SLOTS } from "../../../contract/slots.ts";
import { databaseConnectionsSeries, databaseUpSeries } from "./healthy.ts";
import type { Alert, RuleGroup } from "./rule.ts";
import { steady } from "./samples.ts";

/** The database as the Postgres exporter and the servers see it. */
export function databaseAlerts(): RuleGroup {
  return { name: "exai-database", rules: [postgresDown(), databaseUnreachable(), databasePoolFull()] };
}

const EXPORTER_SEES_IT = `pg_up{job="${JOBS.postgres}"}`;
const EVERY_SLOT = (value: number) => Object.fromEntries(SLOTS.map((slot) => [databaseUpSeries(slot), steady(value)]));
const [FIRST, SECOND] = SLOTS;

/** The pool or the login between the servers and a database that works. */
function databaseUnreachable(): Alert {
  return {
    alert: "DatabaseUnreachable",
    severity: "critical",
    symptom: "availability",
    expr: `max(${SERVER_METRICS.databaseUp}{job="${JOBS.server}"}) == 0 and on () max(${EXPORTER_SEES_IT}) == 1`,
    for: "2m",
    summary: "No server reaches the database, which answers the exporter",
    description:
      "Users with a token have got 503 for two minutes: the pool between servers and database, or their login, fails.",
    runbook: "database-unreachable",
    cases: [
      { name: "fires: no server reaches it", series: EVERY_SLOT(0), fires: [{}] },
      { name: "quiet: one slot reaches it", series: { [databaseUpSeries(FIRST)]: steady(0) }, fires: [] },
      {
        name: "quiet: Postgres itself is down",
        series: { ...EVERY_SLOT(0), [`pg_up{job="${JOBS.postgres}",instance="postgres-exporter:9187"}`]: steady(0) },
        fires: [],
      },
      { name: "quiet: healthy", fires: [] },
    ],
  };
}

function databasePoolFull(): Alert {
  const waiting = (slot: (typeof SLOTS)[number]) => databaseConnectionsSeries(slot, "waiting");
  return {
    alert: "DatabasePoolFull",
    severity: "warning",
    expr: `sum(${SERVER_METRICS.databaseConnections}{job="${JOBS.server}",state="waiting"}) > 0`,
    for: "5m",
    summary: "Requests wait for a connection to the database",
    description:
      "{{ $value }} requests wait, and so for five minutes: the pool is too small, or its connections are held too long.",
    runbook: "database-pool-full",
    cases: [
      {
        name: "fires: requests wait in both slots",
        series: { [waiting(FIRST)]: steady(3), [waiting(SECOND)]: steady(4) },
        fires: [{ value: "7" }],
      },
      { name: "quiet: healthy", fires: [] },
    ],
  };
}

function postgresDown(): Alert {
  const series = EXPORTER_SEES_IT;
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

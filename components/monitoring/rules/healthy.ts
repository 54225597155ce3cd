import { SLOTS } from "../../../contract/slots.ts";
import { ENVOY_METRICS, type Eviction } from "../../../contract/envoy/metrics.ts";
import { BACKUP_METRICS, JOBS } from "../../../contract/monitoring.ts";
import { HTTP_PORT, SERVER_METRICS } from "../../../contract/server.ts";
import { answerClass, REQUEST_TIME_BUCKET } from "../router-series.ts";
import { current, growing, steady } from "./samples.ts";
import type { RulesArgs } from "./args.ts";
import type { Samples } from "./rule.ts";

/** Labels of a server's series, as text. */
export function serverLabels(slot: string): string {
  return `job="${JOBS.server}",instance="server-${slot}:${HTTP_PORT}",slot="${slot}"`;
}

/** Whether a slot's server reaches the database. */
export function databaseUpSeries(slot: string): string {
  return `${SERVER_METRICS.databaseUp}{${serverLabels(slot)}}`;
}

/** Requests of a slot that hold a connection to the database, or wait for one. */
export function databaseConnectionsSeries(slot: string, state: "active" | "waiting"): string {
  return `${SERVER_METRICS.databaseConnections}{${serverLabels(slot)},state="${state}"}`;
}

function routerLabels(slot: string): string {
  return `job="${JOBS.router}",instance="router:9901",slot="${slot}",kind="plain"`;
}

/** The router's count of requests sent to a slot. */
export function sentSeries(slot: string): string {
  return `${ENVOY_METRICS.requestsTotal}{${routerLabels(slot)}}`;
}

/** The router's count of answers of one class (2 for 2xx) from a slot. */
export function answersSeries(slot: string, responseClass: number): string {
  return `${ENVOY_METRICS.requests}{${routerLabels(slot)},${answerClass(String(responseClass))}}`;
}

/** One bucket of the router's latency histogram; `le` in milliseconds. */
export function bucketSeries(slot: string, le: string): string {
  return `${REQUEST_TIME_BUCKET}{${routerLabels(slot)},le="${le}"}`;
}

/** `up` of a target of a job. */
export function upSeries(job: string, slot?: string): string {
  return slot === undefined ? `up{job="${job}",instance="${job}:1"}` : `up{${serverLabels(slot)}}`;
}

/** The router's series for a slot without users, and whether the slot was emptied intentionally. */
export function evictionSeries(eviction: Eviction, slot: string): string {
  return `${ENVOY_METRICS.eviction}{job="${JOBS.router}",instance="${JOBS.router}:1",slot="${slot}",eviction="${eviction}"}`;
}

/** The schedule of the drills in the test series. */
export const DRILL_LABEL = 'schedule="monthly-drill"';

/** A series that the exporter reads from the database. */
export function databaseSeries(metric: string, labels?: string): string {
  return `${metric}{${[`job="${JOBS.postgres}",instance="postgres-exporter:9187"`, labels].filter(Boolean).join()}}`;
}

/** A series of one backup schedule. */
export function backupSeries(metric: string, schedule: string, kind: string): string {
  return `${metric}{job="${JOBS.postgres}",instance="postgres-exporter:9187",schedule="${schedule}",kind="${kind}"}`;
}

/**
 * A healthy stack, as the test series of promtool: both slots answer ten requests a second (150 in a
 * step of 15 s) with no error, all targets are up and the backups are fresh. A test case of an alert changes some of them.
 */
export function healthyWorld(args: RulesArgs): Readonly<Record<string, Samples>> {
  const world: Record<string, Samples> = {};
  for (const job of args.jobs) {
    if (job === JOBS.server) continue;
    world[upSeries(job)] = steady(1);
  }
  for (const slot of SLOTS) {
    const labels = serverLabels(slot);
    world[upSeries(JOBS.server, slot)] = steady(1);
    world[`${SERVER_METRICS.buildInfo}{${labels},version="1.0.0",release="r1"}`] = steady(1);
    world[`${SERVER_METRICS.webSockets}{${labels}}`] = steady(20);
    world[`${SERVER_METRICS.webSocketLatency}_bucket{${labels},le="0.05"}`] = growing(20);
    world[`${SERVER_METRICS.webSocketLatency}_bucket{${labels},le="0.1"}`] = growing(20);
    world[`${SERVER_METRICS.webSocketLatency}_bucket{${labels},le="0.25"}`] = growing(20);
    world[`${SERVER_METRICS.webSocketLatency}_bucket{${labels},le="+Inf"}`] = growing(20);
    world[databaseUpSeries(slot)] = steady(1);
    world[databaseConnectionsSeries(slot, "active")] = steady(2);
    world[databaseConnectionsSeries(slot, "waiting")] = steady(0);
    world[sentSeries(slot)] = growing(150);
    world[answersSeries(slot, 2)] = growing(150);
    for (const le of ["50", "500", "1000", "2500", "+Inf"]) world[bucketSeries(slot, le)] = growing(150);
    world[`${ENVOY_METRICS.healthyHosts}{${routerLabels(slot)}}`] = steady(1);
  }
  world[`pg_up{job="${JOBS.postgres}",instance="postgres-exporter:9187"}`] = steady(1);
  for (const { schedule, kind } of args.backups) {
    world[backupSeries(BACKUP_METRICS.lastSuccess, schedule, kind)] = current();
    world[backupSeries(BACKUP_METRICS.failures, schedule, kind)] = steady(3);
  }
  if (args.drills !== undefined) {
    world[databaseSeries(BACKUP_METRICS.damaged)] = steady(0);
    world[databaseSeries(BACKUP_METRICS.lastDrill, DRILL_LABEL)] = current();
    world[databaseSeries(BACKUP_METRICS.drillRto, DRILL_LABEL)] = steady(20);
    world[databaseSeries(BACKUP_METRICS.drillRpo, DRILL_LABEL)] = steady(10);
  }
  if (args.walArchive !== undefined) {
    world[`${BACKUP_METRICS.walLastArchived}{job="${JOBS.postgres}",instance="postgres-exporter:9187"}`] = current();
  }
  return world;
}

import type { Schedule } from "../components/backups/schedules.ts";
import { parseCron, type CronEngine } from "../contract/cron/expression.ts";
import { longestGap } from "../contract/cron/gaps.ts";
import type { WatchedBackup } from "../components/monitoring/rules/args.ts";
import type { AlertTargets } from "../components/monitoring/secrets.ts";
import type { Settings } from "./settings.ts";

const HOUR = 3600;

/** Seconds that a run may take, and a late start of it. */
const SLACK_SECONDS: Readonly<Record<Schedule["frequency"], number>> = {
  hourly: HOUR,
  daily: 2 * HOUR,
  weekly: 12 * HOUR,
};

/**
 * The declared backup schedules as the alerts watch them. A backup is late after the longest gap that the engine leaves in the time zone:
 * nights of clock changes are longer, and a CronJob does not run at a time that one skips.
 */
export function watchedBackups(schedules: readonly Schedule[], engine: CronEngine): readonly WatchedBackup[] {
  return schedules.map(({ name, kind, frequency, cron, timeZone }) => ({
    schedule: name,
    kind,
    maxAgeSeconds: longestGap(parseCron(cron, engine), timeZone).minutes * 60 + SLACK_SECONDS[frequency],
  }));
}

/** The receivers of alerts, from the settings. */
export function alertTargets(settings: Settings): AlertTargets {
  const { slackWebhook, slackChannel, pagerdutyKey, alertWebhook, heartbeatUrl } = settings;
  return {
    ...(slackWebhook === undefined ? {} : { slack: { webhook: slackWebhook, channel: slackChannel } }),
    ...(pagerdutyKey === undefined ? {} : { pagerduty: { routingKey: pagerdutyKey } }),
    ...(alertWebhook === undefined ? {} : { webhook: { url: alertWebhook } }),
    ...(heartbeatUrl === undefined ? {} : { heartbeat: { url: heartbeatUrl } }),
  };
}

import type { Schedule } from "../components/backups/schedules.ts";
import type { WatchedBackup } from "../components/monitoring/rules/args.ts";
import type { AlertTargets } from "../components/monitoring/secrets.ts";
import type { Settings } from "./settings.ts";

const HOUR = 3600;

/** Seconds until the next backup of a schedule has to have succeeded: its period, and the time that a run may take. */
const MAX_AGE_SECONDS: Readonly<Record<Schedule["frequency"], number>> = {
  hourly: 2 * HOUR,
  daily: 26 * HOUR,
  weekly: (7 * 24 + 12) * HOUR,
};

/** The declared backup schedules as the alerts watch them. */
export function watchedBackups(schedules: readonly Schedule[]): readonly WatchedBackup[] {
  return schedules.map(({ name, kind, frequency }) => ({
    schedule: name,
    kind,
    maxAgeSeconds: MAX_AGE_SECONDS[frequency],
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

import type { Channel } from "../operations/notify/channel.ts";
import { Notifier } from "../operations/notify/notifier.ts";
import type { Outbox } from "../operations/notify/outbox.ts";
import { pagerduty } from "../operations/notify/pagerduty.ts";
import { slack } from "../operations/notify/slack.ts";
import { webhook } from "../operations/notify/webhook.ts";
import type { Settings } from "../stacks/settings.ts";
import { DEFERRED, type ConfigSource } from "../stacks/settings/source.ts";

/** Keys whose values are needed in plain text here. */
type Key = "rolloutSlackWebhook" | "rolloutPagerdutyKey" | "rolloutWebhook" | "rolloutWebhookSecret";

/**
 * Who hears of a stack's rollouts, as its settings have it; undefined where nobody does. The source is the one that the
 * settings were parsed from: what it cannot decrypt is left out with a warning.
 */
export function notifierOf(settings: Settings, source: ConfigSource, outbox: Outbox): Notifier | undefined {
  const troubles: string[] = [];
  const plain = (key: Key): string | undefined => {
    const value = source.get(key);
    if (value !== DEFERRED) return value === "" ? undefined : value;
    troubles.push(`exai:${key} is encrypted in the stack file, which only the engine can read: nothing is sent there`);
    return undefined;
  };
  const channels: Channel[] = [];
  const slackWebhook = plain("rolloutSlackWebhook");
  if (slackWebhook !== undefined) channels.push(slack(slackWebhook));
  const pagerdutyKey = plain("rolloutPagerdutyKey");
  if (pagerdutyKey !== undefined) channels.push(pagerduty(pagerdutyKey, settings.rolloutPagerdutyUrl));
  const [url, secret] = [plain("rolloutWebhook"), plain("rolloutWebhookSecret")];
  if (url !== undefined && secret !== undefined) channels.push(webhook(url, secret));
  if (channels.length === 0 && troubles.length === 0) return undefined;
  return new Notifier({ stack: settings.stack, channels, outbox, troubles });
}

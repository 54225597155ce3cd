import type { Channel, Receiver } from "../operations/notify/channel.ts";
import type { Notifier } from "../operations/notify/notifier.ts";
import type { Outbox } from "../operations/notify/outbox.ts";
import type { Settings } from "../stacks/settings.ts";
import { DEFERRED, type ConfigSource } from "../stacks/settings/source.ts";

/** Keys whose values are needed in plain text here. */
const KEYS = ["rolloutSlackWebhook", "rolloutPagerdutyKey", "rolloutWebhook", "rolloutWebhookSecret"] as const;
type Key = (typeof KEYS)[number];

/** Who has the values of a stack's configuration that are encrypted in its file, by key. */
export type Decrypt = () => Promise<Readonly<Record<string, string>>>;

/**
 * Who hears of a stack's rollouts, as its settings have it; undefined where nobody does.
 *
 * @param source the one that the settings were parsed from
 * @param decrypt asked once, in the background, when something is sent to an address that the source cannot read. Absent:
 *   such addresses are left out with a warning.
 */
export async function notifierOf(
  settings: Settings,
  source: ConfigSource,
  outbox: Outbox,
  decrypt?: Decrypt,
): Promise<Notifier | undefined> {
  if (KEYS.every((key) => (source.get(key) ?? "") === "")) return undefined;
  // Where nobody wants to hear of it, a rollback does not wait for those who would tell.
  const [{ Notifier }, { slack }, { pagerduty }, { webhook }] = await Promise.all([
    import("../operations/notify/notifier.ts"),
    import("../operations/notify/slack.ts"),
    import("../operations/notify/pagerduty.ts"),
    import("../operations/notify/webhook.ts"),
  ]);
  const troubles: string[] = [];
  const channels: Receiver[] = [];
  let decrypted: ReturnType<Decrypt> | undefined;

  const receive = (name: string, keys: readonly Key[], make: (...values: string[]) => Channel) => {
    const values = keys.map((key) => source.get(key));
    if (values.some((value) => value === undefined || value === "")) return;
    const known = values.filter((value) => typeof value === "string");
    if (known.length === keys.length) {
      channels.push(make(...known));
      return;
    }
    if (decrypt === undefined) {
      const named = keys.map((key) => `exai:${key}`).join(", ");
      troubles.push(`${named}: encrypted in the stack file, which only the engine can read; nothing is sent there`);
      return;
    }
    const channel = async (): Promise<Channel> => {
      decrypted ??= decrypt();
      const config = await decrypted;
      const plain = keys.map((key) => {
        const value = source.get(key);
        const text = value === DEFERRED ? config[key] : value;
        if (text === undefined) throw new Error(`the engine has no exai:${key}`);
        return text;
      });
      return make(...plain);
    };
    channels.push({ name, pack: async (announcement, now) => (await channel()).pack(announcement, now) });
  };

  receive("slack", ["rolloutSlackWebhook"], slack);
  receive("pagerduty", ["rolloutPagerdutyKey"], (key) => pagerduty(key, settings.rolloutPagerdutyUrl));
  receive("webhook", ["rolloutWebhook", "rolloutWebhookSecret"], webhook);
  if (channels.length === 0 && troubles.length === 0) return undefined;
  return new Notifier({ stack: settings.stack, channels, outbox, troubles });
}

import type { Channel, Receiver } from "../operations/notify/channel.ts";
import { Notifier } from "../operations/notify/notifier.ts";
import type { CursorStore } from "../operations/notify/delivery-cursor.ts";
import { pagerduty } from "../operations/notify/pagerduty.ts";
import { slack } from "../operations/notify/slack.ts";
import { webhook } from "../operations/notify/webhook.ts";
import type { Settings } from "../stacks/settings.ts";
import { DEFERRED, type ConfigSource } from "../stacks/settings/source.ts";

/** Keys whose values are needed in plain text here. */
const KEYS = ["rolloutSlackWebhook", "rolloutPagerdutyKey", "rolloutWebhook", "rolloutWebhookSecret"] as const;
type Key = (typeof KEYS)[number];

/** Reads the values that are encrypted in the stack file, by key. */
export type Decrypt = () => Promise<Readonly<Record<string, string>>>;

/**
 * Sends announcements of a stack's rollouts to the channels of its settings; undefined if they name none.
 *
 * @param source the source of the settings
 * @param decrypt called once, in the background, when something is sent to an address that is encrypted. Absent: such
 *   addresses are left out with a warning.
 */
export function notifierOf(
  settings: Settings,
  source: ConfigSource,
  cursors: CursorStore,
  decrypt?: Decrypt,
): Notifier | undefined {
  if (KEYS.every((key) => (source.get(key) ?? "") === "")) return undefined;
  const problems: string[] = [];
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
      problems.push(
        `${named}: encrypted in the stack file, which only the engine can read; no announcement is sent there`,
      );
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
  if (channels.length === 0 && problems.length === 0) return undefined;
  return new Notifier({ stack: settings.stack, channels, cursors, problems });
}

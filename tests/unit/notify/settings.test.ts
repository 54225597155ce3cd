import { describe, expect, it } from "vitest";
import { notifierOf } from "../../../platforms/notifications.ts";
import type { CursorStore } from "../../../operations/notify/delivery-cursor.ts";
import { parseSettings } from "../../../stacks/settings.ts";
import { DEFERRED, plainSource } from "../../../stacks/settings/source.ts";
import { startReceiver } from "../../support/receiver.ts";
import { rolloutEntries } from "./entries.ts";

const FORGETFUL: CursorStore = { read: () => Promise.resolve(undefined), change: () => Promise.resolve() };

function notifier(values: Readonly<Record<string, string | typeof DEFERRED>>) {
  const source = plainSource(values);
  return notifierOf(parseSettings("local", source), source, FORGETFUL);
}

describe("the receivers of a stack", () => {
  it("are none without settings", () => {
    expect(notifier({})).toBeUndefined();
    expect(notifier({ rolloutSlackWebhook: "" })).toBeUndefined();
  });

  it("are all that the settings name", async () => {
    const receiver = await startReceiver();
    try {
      const made = notifier({
        rolloutSlackWebhook: `${receiver.url}/slack`,
        rolloutPagerdutyKey: "0123456789abcdef0123456789abcdef",
        rolloutPagerdutyUrl: receiver.url,
        rolloutWebhook: `${receiver.url}/hook`,
        rolloutWebhookSecret: `whsec_${Buffer.alloc(32).toString("base64")}`,
      });
      made?.begin(0, () => Promise.resolve([]));
      for (const entry of rolloutEntries("prepare")) made?.queue(entry);
      await made?.end();
      expect(receiver.received.map(({ path }) => path).sort()).toEqual(["/hook", "/slack", "/v2/change/enqueue"]);
    } finally {
      await receiver.close();
    }
  });

  it("are looked up once if only the engine can decrypt them, when something is sent", async () => {
    const receiver = await startReceiver();
    try {
      let asked = 0;
      const source = plainSource({
        rolloutSlackWebhook: DEFERRED,
        rolloutWebhook: DEFERRED,
        rolloutWebhookSecret: DEFERRED,
      });
      const made = notifierOf(parseSettings("local", source), source, FORGETFUL, () => {
        asked += 1;
        return Promise.resolve({
          rolloutSlackWebhook: `${receiver.url}/slack`,
          rolloutWebhook: `${receiver.url}/hook`,
          rolloutWebhookSecret: `whsec_${Buffer.alloc(32).toString("base64")}`,
        });
      });
      expect(made?.problems()).toEqual([]);
      expect(asked).toBe(0);
      made?.begin(0, () => Promise.resolve([]));
      for (const entry of rolloutEntries("prepare", 25)) made?.queue(entry);
      await made?.end();
      expect(receiver.received.map(({ path }) => path).sort()).toEqual(["/hook", "/hook", "/slack", "/slack"]);
      expect(asked).toBe(1);
    } finally {
      await receiver.close();
    }
  });

  it("lead to a warning if the engine cannot decrypt them", async () => {
    const source = plainSource({ rolloutSlackWebhook: DEFERRED });
    const made = notifierOf(parseSettings("local", source), source, FORGETFUL, () =>
      Promise.reject(new Error("no passphrase")),
    );
    made?.begin(0, () => Promise.resolve([]));
    for (const entry of rolloutEntries("prepare")) made?.queue(entry);
    await made?.end();
    expect(made?.problems()).toMatchObject([/^notifications to slack: .* was not delivered: no passphrase$/]);
  });

  it("do not include one whose address only the engine can decrypt, with a warning", () => {
    expect(notifier({ rolloutSlackWebhook: DEFERRED })?.problems()).toEqual([
      expect.stringMatching(/exai:rolloutSlackWebhook: encrypted.*no announcement is sent/) as string,
    ]);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Channel } from "../../../operations/notify/channel.ts";
import type { DeliveryTimes } from "../../../operations/notify/deliver.ts";
import { Notifier } from "../../../operations/notify/notifier.ts";
import { FileCursorStore } from "../../../operations/notify/delivery-cursor.ts";
import { webhook } from "../../../operations/notify/webhook.ts";
import type { HistoryEntry } from "../../../operations/rollout/model/journal.ts";
import { startReceiver, type Receiver } from "../../support/receiver.ts";
import { rolloutEntries } from "./entries.ts";

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const WHOLE = rolloutEntries("prepare", "deploy", 25, 100, "standby");
const QUICK: Partial<DeliveryTimes> = { attemptSeconds: 2, pauseSeconds: 0.02, longestPauseSeconds: 0.1 };

let home: string;
let receiver: Receiver;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "exai-notify-"));
  receiver = await startReceiver();
});
afterEach(async () => {
  await receiver.close();
  rmSync(home, { recursive: true, force: true });
});

const cursors = () => new FileCursorStore(join(home, "notified"));
const notifier = (
  options: { channels?: readonly Channel[]; times?: Partial<DeliveryTimes>; flushSeconds?: number } = {},
) =>
  new Notifier({
    stack: "prod",
    channels: [webhook(`${receiver.url}/hook?key=hidden`, SECRET)],
    cursors: cursors(),
    flushSeconds: 20,
    ...options,
    times: { ...QUICK, ...options.times },
  });
const heard = () => receiver.received.map(({ headers }) => headers["webhook-id"]);

/** A turn in which the entries happen, on a journal that has the earlier ones. */
async function turn(of: Notifier, entries: readonly HistoryEntry[], earlier: readonly HistoryEntry[] = []) {
  of.begin(earlier.length, () => Promise.resolve(earlier));
  for (const entry of entries) of.queue(entry);
  await of.end();
  return of.problems();
}

describe("a receiver", () => {
  it("gets announcements in order, each once", async () => {
    expect(await turn(notifier(), WHOLE)).toEqual([]);
    expect(heard()).toEqual(["r1-1", "r1-3", "r1-4", "r1-5"]);
    expect(await cursors().read("webhook")).toEqual({ sequence: 5, delivered: 4, failed: 0 });
  });

  it("gets what a killed process had journalled and not announced, and nothing twice", async () => {
    await turn(notifier(), WHOLE.slice(0, 1));
    // Killed: entries 2 to 4 are in the journal and not announced. `resume` continues with 5.
    expect(await turn(notifier(), WHOLE.slice(4), WHOLE.slice(0, 4))).toEqual([]);
    expect(heard()).toEqual(["r1-1", "r1-3", "r1-4", "r1-5"]);
    const last = JSON.parse(receiver.received.at(-1)?.body ?? "") as { data: object };
    expect(last.data).toMatchObject({ candidate: "green", image: "exai:2" });
  });

  it("gets no earlier announcements if it is new, and none older than a day", async () => {
    await turn(notifier(), WHOLE.slice(2), WHOLE.slice(0, 2));
    expect(heard()).toEqual(["r1-3", "r1-4", "r1-5"]);
    const [stale] = rolloutEntries("prepare").map((entry) => ({
      ...{ ...entry, rollout: "r0", sequence: 6 },
      at: new Date(Date.now() - 25 * 3600_000).toISOString(),
    }));
    await turn(notifier(), [], [...WHOLE, ...(stale === undefined ? [] : [stale])]);
    expect(heard()).toHaveLength(3);
  });

  it("starts again with a new journal", async () => {
    await turn(notifier(), WHOLE);
    await turn(notifier(), WHOLE.slice(0, 1));
    expect(heard().at(-1)).toBe("r1-1");
    expect(receiver.received).toHaveLength(5);
  });
});

describe("a receiver with problems", () => {
  it("is tried again after 500, 429 and a broken connection, with the same identifier", async () => {
    receiver.answer = (response, index) => {
      if (index === 0) response.writeHead(500).end();
      else if (index === 1) response.writeHead(429, { "retry-after": "0" }).end("rate_limited");
      else if (index === 2) response.destroy();
      else response.end("ok");
    };
    expect(await turn(notifier(), WHOLE.slice(0, 1))).toEqual([]);
    expect(heard()).toEqual(["r1-1", "r1-1", "r1-1", "r1-1"]);
  });

  it("that refuses is not tried again, and leads to a warning without the address", async () => {
    receiver.answer = (response) => response.writeHead(404).end("no_service");
    const problems = await turn(notifier(), WHOLE.slice(0, 1));
    expect(problems).toEqual([
      'notifications to webhook: "rollout started: exai:2 into green" was not delivered: HTTP 404 (no_service)',
    ]);
    expect(receiver.received).toHaveLength(1);
    expect(await cursors().read("webhook")).toEqual({ sequence: 1, delivered: 0, failed: 1 });
  });

  it("that redirects is not followed", async () => {
    const other = await startReceiver();
    try {
      receiver.answer = (response) => response.writeHead(307, { location: other.url }).end();
      expect(await turn(notifier(), WHOLE.slice(0, 1))).toMatchObject([/HTTP 307$/]);
      expect(other.received).toEqual([]);
    } finally {
      await other.close();
    }
  });

  it.each([
    ["hangs", () => undefined],
    [
      "answers byte by byte",
      (response: import("node:http").ServerResponse) => {
        response.writeHead(503);
        const timer = setInterval(() => response.write("."), 20);
        response.on("close", () => {
          clearInterval(timer);
        });
      },
    ],
  ])("that %s delays the end no longer than the flush, and gets the rest in the next operation", async (_, answer) => {
    receiver.answer = answer;
    const first = notifier({ times: { attemptSeconds: 60 }, flushSeconds: 0.5 });
    const started = performance.now();
    first.begin(0, () => Promise.resolve([]));
    for (const entry of WHOLE) first.queue(entry);
    expect(performance.now() - started).toBeLessThan(5000);
    await receiver.until(1);
    const ending = performance.now();
    await first.end();
    expect(performance.now() - ending).toBeLessThan(30_000);
    expect(first.problems()).toEqual([
      expect.stringMatching(
        /^notifications to webhook: 4 not delivered yet .*next operation on a rollout tries again$/,
      ),
    ]);
    receiver.answer = (response) => response.end("ok");
    expect(await turn(notifier(), [], WHOLE)).toEqual([]);
    expect(heard()).toEqual(["r1-1", "r1-1", "r1-3", "r1-4", "r1-5"]);
  });

  it("that hangs is tried again after a time-out", async () => {
    receiver.answer = (response, index) => {
      if (index > 0) response.end("ok");
    };
    expect(await turn(notifier({ times: { attemptSeconds: 3 } }), WHOLE.slice(0, 1))).toEqual([]);
    expect(heard()).toEqual(["r1-1", "r1-1"]);
  });

  it("is not tried after the deadline, and the last reason is reported", async () => {
    receiver.answer = (response) => response.writeHead(502).end("<html>secret</html>");
    const problems = await turn(notifier({ times: { deadlineSeconds: 3 } }), WHOLE.slice(0, 1));
    expect(problems).toMatchObject([/was not delivered: HTTP 502$/]);
    expect(receiver.received.length).toBeGreaterThan(1);
  });

  it("does not delay other channels, and no message contains an address or a key", async () => {
    const closed = await startReceiver();
    await closed.close();
    const good = { ...webhook(receiver.url, SECRET), name: "good" };
    const bad = { ...webhook(`${closed.url}/services/hidden`, SECRET), name: "bad" };
    const problems = await turn(notifier({ channels: [bad, good], flushSeconds: 4 }), WHOLE);
    expect(heard()).toHaveLength(4);
    expect(problems).toEqual([expect.stringMatching(/^notifications to bad: 4 not delivered yet \(ECONNREFUSED\)/)]);
    expect(JSON.stringify(problems)).not.toMatch(/hidden|whsec|127\.0\.0\.1/);
  });
});

describe("a cursor that cannot be written", () => {
  it("leads to a warning, and announcements are sent", async () => {
    writeFileSync(join(home, "notified"), "a file where a directory should be");
    const problems = await turn(notifier(), WHOLE);
    expect(heard()).toHaveLength(4);
    expect(problems.length).toBeGreaterThan(0);
  });
});

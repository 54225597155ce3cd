import { describe, expect, it } from "vitest";
import { announcementOf, type Announcement } from "../../../operations/notify/announcement.ts";
import { pagerduty } from "../../../operations/notify/pagerduty.ts";
import { slack } from "../../../operations/notify/slack.ts";
import { signature, webhook } from "../../../operations/notify/webhook.ts";
import { rolloutEntries } from "./entries.ts";

const NOW = 1_700_000_000_123;

function announcement(changes: Partial<Announcement> = {}): Announcement {
  const [entry] = rolloutEntries("prepare");
  const made = entry === undefined ? undefined : announcementOf("prod", entry, []);
  if (made === undefined) throw new Error("a start is announced");
  return { ...made, at: "2026-11-23T12:00:00.000Z", ...changes };
}

describe("Slack", () => {
  it("gets a sentence, reason, person and figures, with its three special characters escaped", () => {
    const verdict = {
      gate: "p95",
      verdict: "fail",
      why: "above-limit",
      figure: 700,
      limit: 500,
      unit: "ms",
      test: "none",
    } as const;
    const parcel = slack("https://hooks.slack.com/services/T/B/x").pack(
      announcement({ reason: "<!channel> & co", verdicts: [verdict] }),
      NOW,
    );
    expect(parcel.url).toBe("https://hooks.slack.com/services/T/B/x");
    const message = JSON.parse(parcel.body) as { text: string; blocks: { text?: { text: string } }[] };
    expect(message.text).toBe("prod: rollout started: exai:2 into green");
    expect(message.blocks[1]?.text?.text).toBe("&lt;!channel&gt; &amp; co\n• p95: fail, 700 ms (limit 500 ms)");
    expect(parcel.body).toContain("ann@host · blue 100 %, green 0 %");
  });

  it("gets no section longer than its limit", () => {
    const parcel = slack("https://hooks.slack.com/x").pack(announcement({ reason: "y".repeat(9000) }), NOW);
    for (const { text } of (JSON.parse(parcel.body) as { blocks: { text?: { text: string } }[] }).blocks)
      expect(text?.text.length ?? 0).toBeLessThanOrEqual(3000);
  });
});

describe("PagerDuty", () => {
  it("gets a change event of the Events API v2", () => {
    const parcel = pagerduty("k".repeat(32), "https://events.eu.pagerduty.com").pack(announcement(), NOW);
    expect(parcel.url).toBe("https://events.eu.pagerduty.com/v2/change/enqueue");
    expect(JSON.parse(parcel.body)).toMatchObject({
      routing_key: "k".repeat(32),
      payload: {
        summary: "prod: rollout started: exai:2 into green",
        timestamp: "2026-11-23T12:00:00.000Z",
        source: "exai prod",
        custom_details: { id: "r1-1", kind: "started", image: "exai:2", who: "ann@host" },
      },
    });
  });

  it("gets no summary longer than its limit", () => {
    const parcel = pagerduty("k", "https://events.pagerduty.com").pack(announcement({ image: "y".repeat(2000) }), NOW);
    const { payload } = JSON.parse(parcel.body) as { payload: { summary: string } };
    expect(payload.summary).toHaveLength(1024);
  });
});

describe("a webhook", () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

  it("is signed like by the specification's libraries", () => {
    // Made with the npm package standardwebhooks 1.1.1.
    expect(signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", '{"test": 2432232314}')).toBe(
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    );
  });

  it("is signed over identifier, time and body, again for each attempt", () => {
    const [first, later] = [NOW, NOW + 60_000].map((now) =>
      webhook("https://example.com/hook", secret).pack(announcement(), now),
    );
    expect(first?.headers).toMatchObject({ "webhook-id": "r1-1", "webhook-timestamp": "1700000000" });
    expect(later?.headers["webhook-id"]).toBe("r1-1");
    expect(later?.body).toBe(first?.body);
    expect(later?.headers["webhook-signature"]).not.toBe(first?.headers["webhook-signature"]);
  });
});

import { SLOTS } from "../../contract/slots.ts";
import type { Announcement } from "./announcement.ts";
import { cut, type Channel } from "./channel.ts";
import { announcementText, failureText, verdictText } from "./wording.ts";

/** Most characters of a section's text. */
const SECTION_LENGTH = 3000;

/** A message by an incoming webhook: a sentence, then the reason, the person and the gates' verdicts. */
export function slack(webhook: string): Channel {
  return {
    name: "slack",
    pack: (announcement) => {
      const text = `${announcement.stack}: ${announcementText(announcement)}`;
      const details = detailsOf(announcement);
      const blocks = [
        section(`*${escape(text)}*`),
        ...(details === "" ? [] : [section(escape(details))]),
        { type: "context", elements: [{ type: "mrkdwn", text: escape(footer(announcement)) }] },
      ];
      return {
        url: webhook,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text: escape(text), blocks }),
      };
    },
  };
}

function section(text: string) {
  return { type: "section", text: { type: "mrkdwn", text: cut(text, SECTION_LENGTH) } };
}

function detailsOf({ reason, failure, verdicts }: Announcement): string {
  const gates = verdicts.map((verdict) => `• ${verdictText(verdict)}`);
  const why = failure === undefined ? reason : failureText(failure);
  return [...(why === "" ? [] : [why]), ...gates].join("\n");
}

function footer({ rollout, who, weights }: Announcement): string {
  const shares = SLOTS.map((slot) => `${slot} ${String(weights[slot])} %`).join(", ");
  return `${rollout} · ${who} · ${shares}`;
}

/** Escapes the three special characters of Slack's markup. */
function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

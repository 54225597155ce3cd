import { cut, type Channel } from "./channel.ts";
import { announcementText } from "./wording.ts";

/** Most characters of a change event's summary. */
const SUMMARY_LENGTH = 1024;

/**
 * A change event of PagerDuty's Events API v2: it appears next to a service's incidents and notifies no person.
 *
 * @param origin `https://events.pagerduty.com`, or another region's
 */
export function pagerduty(routingKey: string, origin: string): Channel {
  return {
    name: "pagerduty",
    pack: ({ stack, at, ...details }) => ({
      url: new URL("/v2/change/enqueue", origin).href,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        routing_key: routingKey,
        payload: {
          summary: cut(`${stack}: ${announcementText({ stack, at, ...details })}`, SUMMARY_LENGTH),
          timestamp: at,
          source: `exai ${stack}`,
          custom_details: details,
        },
      }),
    }),
  };
}

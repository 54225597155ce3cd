import { cut, type Channel } from "./channel.ts";

/** Most characters of a change event's summary. */
const SUMMARY_LENGTH = 1024;

/**
 * A change event of PagerDuty's Events API v2: it stands beside a service's incidents and pages nobody.
 *
 * @param origin `https://events.pagerduty.com`, or another region's
 */
export function pagerduty(routingKey: string, origin: string): Channel {
  return {
    name: "pagerduty",
    pack: ({ title, stack, at, ...details }) => ({
      url: new URL("/v2/change/enqueue", origin).href,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        routing_key: routingKey,
        payload: {
          summary: cut(`${stack}: ${title}`, SUMMARY_LENGTH),
          timestamp: at,
          source: `exai ${stack}`,
          custom_details: details,
        },
      }),
    }),
  };
}

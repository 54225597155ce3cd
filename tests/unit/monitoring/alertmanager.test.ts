import { describe, expect, it } from "vitest";
import { alertmanagerConfig } from "../../../components/monitoring/alertmanager.ts";

interface Config {
  readonly route: { readonly routes: readonly Readonly<Record<string, string>>[] };
  readonly receivers: readonly unknown[];
}

describe("the receivers", () => {
  const config = alertmanagerConfig({
    heartbeat: { url: "https://hc.example.com/1" },
    slack: { webhookFile: "/slack", channel: "#a" },
    pagerduty: { routingKeyFile: "/pagerduty" },
  }) as unknown as Config;

  it("get the heartbeat at each look at its group, which is every minute", () => {
    const route = config.route.routes.find(({ receiver }) => receiver === "heartbeat");
    expect(route).toMatchObject({ group_interval: "1m", repeat_interval: "30s" });
  });

  it("get no text that is empty if the alerts of a group differ", () => {
    for (const [text] of JSON.stringify(config.receivers).matchAll(/\{\{[^}]*\.Common[^}]*\}\}/g))
      expect(text).toMatch(/^\{\{ with /);
  });
});

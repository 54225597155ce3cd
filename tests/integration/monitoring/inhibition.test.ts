import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { renderAlertmanager } from "../../../components/monitoring/alertmanager.ts";
import { alertLabels, alertsOf, ruleGroups } from "../../../components/monitoring/rules.ts";
import { freePort } from "../../support/free-ports.ts";
import { missing } from "../../support/missing.ts";
import { RULES } from "../../unit/monitoring/stack.ts";
import { startDaemon, type Daemon } from "./tools.ts";

type Labels = Readonly<Record<string, string>>;

interface PostedAlert {
  readonly labels: Labels;
  readonly status: { readonly state: string; readonly inhibitedBy: readonly string[] };
}

/** The labels that one of our alerts arrives with. */
function labelsOf(alertname: string, more: Labels = {}): Labels {
  const alert = alertsOf(ruleGroups(RULES)).find((one) => one.alert === alertname);
  if (alert === undefined) throw new Error(`there is no alert ${alertname}`);
  return { alertname, ...alertLabels(alert), ...more };
}

/** Cause, then alert, then whether the cause holds the alert back. */
const CASES: readonly (readonly [string, Labels, Labels, boolean])[] = [
  ["the same slot", labelsOf("ServingSlotDown", { slot: "green" }), labelsOf("SlotDown", { slot: "green" }), true],
  ["the other slot", labelsOf("ServingSlotDown", { slot: "green" }), labelsOf("SlotDown", { slot: "blue" }), false],
  ["a warning without a slot, with a cause without a slot", labelsOf("RouterDown"), labelsOf("LatencyP95High"), false],
  [
    "the targets of a slot that is down",
    labelsOf("SlotDown", { slot: "blue" }),
    labelsOf("TargetDown", { slot: "blue", job: "server", instance: "server-blue:8080" }),
    true,
  ],
  [
    "errors of one slot within errors of all",
    labelsOf("ErrorRatioHigh"),
    labelsOf("SlotErrorRatioHigh", { slot: "blue" }),
    true,
  ],
  [
    "errors of all within errors of one slot",
    labelsOf("SlotErrorRatioHigh", { slot: "blue" }),
    labelsOf("ErrorRatioHigh"),
    false,
  ],
  [
    "the router's own target",
    labelsOf("RouterDown"),
    labelsOf("TargetDown", { job: "router", instance: "router:9901" }),
    true,
  ],
  ["another target", labelsOf("RouterDown"), labelsOf("TargetDown", { job: "prometheus", instance: "p:9090" }), false],
  ["backups without a database", labelsOf("PostgresDown"), labelsOf("BackupStale"), true],
  ["a database without backups", labelsOf("BackupStale"), labelsOf("PostgresDown"), false],
];

describe.skipIf(missing("prometheus-alertmanager"))("a real Alertmanager", () => {
  let directory: string;
  let url: string;
  let alertmanager: Daemon;
  let receiver: Server;
  const received: { receiver: string; alerts: { labels: Labels }[] }[] = [];

  beforeAll(async () => {
    receiver = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        received.push(JSON.parse(Buffer.concat(chunks).toString()) as (typeof received)[number]);
        response.end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    directory = await mkdtemp(join(tmpdir(), "exai-alertmanager-"));
    await writeFile(
      join(directory, "alertmanager.yml"),
      renderAlertmanager({ webhook: { url: `${hook}/alerts` }, heartbeat: { url: `${hook}/heartbeat` } }),
    );
    alertmanager = await startDaemon(
      "prometheus-alertmanager",
      [
        `--config.file=${directory}/alertmanager.yml`,
        `--storage.path=${directory}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--cluster.listen-address=",
      ],
      `${url}/-/ready`,
    );
  });

  afterAll(async () => {
    await alertmanager.stop();
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
    await rm(directory, { recursive: true, force: true });
  });

  /** Posts alerts, or ends them. */
  const post = async (alerts: readonly Labels[], ended = false): Promise<void> => {
    const now = Date.now();
    const answer = await fetch(`${url}/api/v2/alerts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(
        alerts.map((labels) => ({
          labels,
          startsAt: new Date(now - 60_000).toISOString(),
          ...(ended ? { endsAt: new Date(now - 1000).toISOString() } : {}),
        })),
      ),
    });
    expect(answer.status).toBe(200);
  };

  /** What Alertmanager thinks of an alert, once its pipeline has looked at it. */
  const stateOf = async (labels: Labels): Promise<PostedAlert> => {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const answer = await fetch(`${url}/api/v2/alerts`);
      const alerts = (await answer.json()) as readonly PostedAlert[];
      const own = alerts.find((alert) => Object.entries(labels).every(([name, value]) => alert.labels[name] === value));
      if (own !== undefined && own.status.state !== "unprocessed") return own;
      if (Date.now() > deadline) throw new Error(`no state for ${JSON.stringify(labels)}: ${JSON.stringify(alerts)}`);
      await sleep(200);
    }
  };

  // A case ends its alerts, so that it holds nothing of the next one back.
  it.each(CASES)("%s", async (_, cause, alert, held) => {
    await post([cause]);
    await stateOf(cause);
    await post([alert]);
    const state = await stateOf(alert);
    expect(state.status.state).toBe(held ? "suppressed" : "active");
    expect(state.status.inhibitedBy).toHaveLength(held ? 1 : 0);
    await post([cause, alert], true);
  });

  it("sends a critical alert to the webhook, and the Watchdog only to the heartbeat", async () => {
    await post([labelsOf("Watchdog"), labelsOf("PostgresDown", { job: "postgres" })]);
    const deadline = Date.now() + 30_000;
    const got = (): string[] =>
      received.flatMap(({ receiver: to, alerts }) => alerts.map(({ labels }) => `${to}: ${labels.alertname ?? ""}`));
    while (Date.now() < deadline && !(got().includes("webhook: PostgresDown") && got().includes("heartbeat: Watchdog")))
      await sleep(200);
    expect(got()).toContain("webhook: PostgresDown");
    expect(got()).toContain("heartbeat: Watchdog");
    expect(got()).not.toContain("webhook: Watchdog");
  });
});

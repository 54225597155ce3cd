import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { Cluster } from "../../../operations/rollout/kubernetes/cluster.ts";
import { PodAgent } from "../../../operations/rollout/kubernetes/pod-agent.ts";

const REFUSED = "connect: connection refused";

/**
 * An API server whose kubelet cannot reach the port: it says so together with its answer to the upgrade, or later; or it
 * takes its time for the upgrade, and reaches it.
 */
let api: Server;
let kubelet: "refuses" | "refuses later" | "connects slowly" = "refuses";
let folder: string;
const forwards = new WebSocketServer({ noServer: true, handleProtocols: () => "v4.channel.k8s.io" });

/** Both streams begin with the port; the second one is for errors. */
function refuse(forward: WebSocket): void {
  for (const stream of [0, 1]) forward.send(Buffer.from([stream, 80, 0]));
  forward.send(Buffer.concat([Buffer.from([1]), Buffer.from(REFUSED)]));
}

beforeAll(async () => {
  api = createServer().on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    const upgrade = (): void => {
      socket.cork();
      forwards.handleUpgrade(incoming, socket, head, (forward) => {
        if (kubelet === "refuses") refuse(forward);
        else if (kubelet === "refuses later") setTimeout(refuse, 50, forward);
      });
      socket.uncork();
    };
    if (kubelet === "connects slowly") setTimeout(upgrade, 50);
    else upgrade();
  });
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
  folder = mkdtempSync(join(tmpdir(), "exai-connect-"));
  const server = `http://127.0.0.1:${String((api.address() as AddressInfo).port)}`;
  const kubeconfig = {
    clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: {} }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  writeFileSync(join(folder, "kubeconfig"), JSON.stringify(kubeconfig));
});

afterAll(() => {
  for (const forward of forwards.clients) forward.terminate();
  api.close();
  rmSync(folder, { recursive: true });
});

const connect = () => Cluster.open({ kubeconfig: join(folder, "kubeconfig"), namespace: "n" }).connect("n", "pod", 80);

/** What becomes of a request. */
const askedBy = (agent: PodAgent) =>
  new Promise<string>((resolve) => {
    request({ agent, path: "/", headers: { host: "envoy" } }, () => {
      resolve("answered");
    })
      .on("error", (error) => {
        resolve(error.message);
      })
      .end();
  });

describe.each(["refuses", "refuses later"] as const)(
  "a connection to a pod without a listener: the kubelet %s",
  (does) => {
    beforeAll(() => {
      kubelet = does;
    });

    it("fails the request that uses it, with the cause", async () => {
      expect(await askedBy(new PodAgent(connect))).toContain(REFUSED);
    });

    it("fails the request that uses TLS over it", async () => {
      expect(await askedBy(new PodAgent(connect, { servername: "exai.test" }))).toContain(REFUSED);
    });

    it("does not end the process if no request uses it", async () => {
      const connection = await connect();
      if (!connection.closed) await new Promise((resolve) => connection.once("close", resolve));
      expect(connection.errored?.message).toContain(REFUSED);
    });
  },
);

describe("a connection that opens too late", () => {
  beforeAll(() => {
    kubelet = "connects slowly";
  });

  it("is closed, and its request fails", async () => {
    const agent = new PodAgent(connect);
    const asked = askedBy(agent);
    agent.destroy();
    expect(await asked).toContain("no longer needed");
    await expect.poll(() => forwards.clients.size).toBe(0);
  });
});

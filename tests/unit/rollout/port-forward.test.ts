import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { forwardPort } from "../../../operations/rollout/kubernetes/port-forward.ts";

it("a forwarded port sends the headers of an event stream before its first event", async () => {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const forwarded = await forwardPort(() => Promise.resolve({ options: { host: "127.0.0.1", port }, headers: {} }));
  try {
    const response = await fetch(forwarded.url, { signal: AbortSignal.timeout(5000) });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    await response.body?.cancel();
  } finally {
    await forwarded.close();
    server.closeAllConnections();
    server.close();
  }
});

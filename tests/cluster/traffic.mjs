// Runs inside the cluster, in a pod of the server's image: asks the gateway as its users do and prints one line of JSON.
const [, origin, wsOrigin, job] = process.argv;
const mcp = (body, headers = {}) =>
  fetch(`${origin}/mcp`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    body: JSON.stringify({ jsonrpc: "2.0", ...body }),
  });

/** Opens an MCP session. @returns who answered, by the router's word, and the session's identifier, empty where there is none */
async function openSession() {
  const opened = await mcp({
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "cluster-test", version: "1" } },
  });
  await opened.text();
  return { slot: opened.headers.get("x-exai-served-by"), session: opened.headers.get("mcp-session-id") ?? "" };
}

const jobs = {
  /** Which slot answers `count` requests. */
  async share(count, headers) {
    const tally = { blue: 0, green: 0, disagreed: 0, failed: 0 };
    for (let i = 0; i < count; i++) {
      const response = await fetch(`${origin}/health`, { headers });
      const body = await response.json();
      if (response.status !== 200) tally.failed++;
      // The router's word and the server's own must be the same.
      else if (response.headers.get("x-exai-served-by") !== body.slot) tally.disagreed++;
      else tally[body.slot]++;
    }
    return tally;
  },
  /** Opens sessions and uses each several times; counts where they were opened and what left its slot. */
  async sessions(count, uses) {
    const tally = { blue: 0, green: 0, strayed: 0, failed: 0 };
    for (let i = 0; i < count; i++) {
      const { slot, session } = await openSession();
      if (!session.startsWith(`${slot}.`)) tally.failed++;
      else tally[slot]++;
      for (let use = 0; use < uses; use++) {
        const used = await mcp({ id: 2 + use, method: "tools/list" }, { "mcp-session-id": session });
        const text = await used.text();
        if (used.headers.get("x-exai-served-by") !== slot) tally.strayed++;
        else if (used.status !== 200 || !text.includes('"tools"')) tally.failed++;
      }
    }
    return tally;
  },
  /** Opens sessions and an event stream of each; counts where they were opened and which streams left their slot. */
  async streams(count) {
    const tally = { blue: 0, green: 0, strayed: 0, failed: 0 };
    for (let i = 0; i < count; i++) {
      const { slot, session } = await openSession();
      const stream = await fetch(`${origin}/mcp`, {
        headers: { accept: "text/event-stream", "mcp-session-id": session },
      });
      if (stream.headers.get("x-exai-served-by") !== slot) tally.strayed++;
      else if (stream.status !== 200 || stream.headers.get("content-type") !== "text/event-stream") tally.failed++;
      else tally[slot]++;
      await stream.body?.cancel();
    }
    return tally;
  },
  /** Which slots the WebSocket port, or the dashboard's WebSocket, leads to with each slot's token. */
  async webSockets(dashboard, testers) {
    const address = dashboard ? `${origin.replace("https:", "wss:")}/ws/dashboard` : wsOrigin;
    const reached = {};
    for (const slot of ["blue", "green"]) {
      const socket = new WebSocket(address, { headers: testers[slot] });
      reached[slot] = await new Promise((resolve) => {
        socket.addEventListener("open", () => resolve("open"));
        socket.addEventListener("error", (event) => resolve(`refused: ${event.message ?? event.error?.message ?? ""}`));
      });
      socket.close();
    }
    return reached;
  },
};

const { name, args } = JSON.parse(job);
console.log(JSON.stringify(await jobs[name](...args)));

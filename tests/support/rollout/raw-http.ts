import { once } from "node:events";
import { connect } from "node:net";

/** Sends bytes unchanged and returns what comes back until the answer ends, the connection closes or the time is over. */
export async function sendRaw(url: string, text: string, milliseconds = 500): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => undefined);
  socket.write(text);
  const timer = setTimeout(() => socket.destroy(), milliseconds);
  await once(socket, "close");
  clearTimeout(timer);
  return Buffer.concat(chunks).toString("latin1");
}

/** A request as text. */
export function rawRequest(start: string, headers: readonly string[] = [], body = ""): string {
  return [start, "Host: exai.test", ...headers, "", body].join("\r\n");
}

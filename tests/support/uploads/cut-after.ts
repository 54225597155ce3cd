import type { IncomingMessage } from "node:http";

/** Cuts a request once its connection has brought some bytes. A listener for its data would take them from the handler. */
export function cutAfter(request: IncomingMessage, bytes: number): void {
  const { socket } = request;
  const from = socket.bytesRead;
  const watch = setInterval(() => {
    if (socket.bytesRead - from > bytes) request.destroy();
    if (socket.destroyed || request.complete) clearInterval(watch);
  }, 1);
}

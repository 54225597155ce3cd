import { get } from "node:http";
import { HTTP_PORT, SERVER_PATHS } from "../../../contract/server.ts";

/** Longest wait for the answer, in milliseconds; the Dockerfile's own limit is above it. */
const LIMIT_MS = 2000;

// Probes the server of the same container, so that an image without curl or a shell can have a health check. Exit code 0: the answer was 200.
const port = process.env.EXAI_HTTP_PORT ?? String(HTTP_PORT);
const path = process.argv[2] ?? SERVER_PATHS.ready;
get(`http://127.0.0.1:${port}${path}`, { timeout: LIMIT_MS }, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1);
})
  .on("timeout", () => process.exit(1))
  .on("error", () => process.exit(1));

import { OBJECT_STORE } from "../../../contract/storage/object-store.ts";

// Probes the store of the same container. Exit code 0: the answer was 200.
const { status } = await fetch(`http://127.0.0.1:${String(OBJECT_STORE.port)}/status`, {
  signal: AbortSignal.timeout(2000),
});
process.exit(status === 200 ? 0 : 1);

import { readFileSync } from "node:fs";
import { OBJECT_STORE } from "../../../contract/storage/object-store.ts";
import { createStore } from "./http.ts";
import { Objects } from "./objects.ts";

/** Interval between two looks for unfinished uploads that are too old, in milliseconds. */
const PRUNE_MS = 3600_000;

const file = process.env[OBJECT_STORE.secretVariable] ?? "";
const secret = readFileSync(file, "utf8").trim();
if (Buffer.byteLength(secret) < 32) throw new Error(`the key in ${file} is shorter than 32 bytes`);
const objects = new Objects(process.env.DATA_DIRECTORY ?? OBJECT_STORE.data);
await objects.prepare();
await objects.prune();
setInterval(() => {
  objects.prune().catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
}, PRUNE_MS).unref();

const server = createStore(objects, secret).listen(Number(process.env.PORT ?? OBJECT_STORE.port));
for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.once(signal, () => {
    server.close();
    server.closeIdleConnections();
  });

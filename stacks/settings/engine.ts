import * as pulumi from "@pulumi/pulumi";
import { PROJECT } from "../settings.ts";
import type { ConfigSource } from "./source.ts";

/** The configuration as the running engine gives it to the program. */
export function engineSource(): ConfigSource {
  const all = pulumi.runtime.allConfig();
  const prefix = `${PROJECT}:`;
  const values = new Map(
    Object.entries(all).flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])),
  );
  return {
    keys: [...values.keys()],
    get: (key) => values.get(key),
    origin: () => "file",
    // The engine has decrypted them.
    isWritten: () => false,
    imports: [],
    defers: false,
  };
}

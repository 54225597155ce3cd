import { newestLines } from "../../newest-lines.ts";
import type { AuditEnd, AuditStart, AuditStore } from "../../audit/log.ts";
import type { Cluster } from "./cluster.ts";
import { ConfigMapStore } from "./config-map-store.ts";

/** Name of the ConfigMap, in the stack's namespace. */
export const AUDIT_NAME = "exai-audit";

const LINES = "lines";

/** A ConfigMap may have 1 MiB. This is about a thousand changes. */
const MOST_BYTES = 256 * 1024;

/** The lines as the entry of a ConfigMap: all machines that change the stack write to one place. */
export class KubernetesAuditStore implements AuditStore {
  readonly #store: ConfigMapStore;

  constructor(cluster: Cluster) {
    this.#store = new ConfigMapStore(cluster, AUDIT_NAME);
  }

  async append(lines: readonly (AuditStart | AuditEnd)[]): Promise<void> {
    const texts = lines.map((line) => JSON.stringify(line));
    await this.#store.change((data) => {
      const kept = newestLines([...linesOf(data), ...texts], MOST_BYTES);
      return { ...data, [LINES]: kept.join("\n") };
    });
  }

  async lines(): Promise<readonly string[]> {
    return linesOf(await this.#store.read());
  }
}

function linesOf(data: Readonly<Record<string, string>>): readonly string[] {
  return (data[LINES] ?? "").split("\n").filter((line) => line !== "");
}

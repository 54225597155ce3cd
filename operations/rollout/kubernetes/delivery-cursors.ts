import { parseCursor, type CursorStore, type DeliveryCursor } from "../../notify/delivery-cursor.ts";
import type { Cluster } from "./cluster.ts";
import { ConfigMapStore } from "./config-map-store.ts";

/** Name of the ConfigMap, in the stack's namespace. */
export const NOTIFIED_NAME = "exai-rollout-notified";

/**
 * Cursors as entries of one ConfigMap, by the channels' names: the history is the cluster's, so any machine goes on where
 * another one stopped.
 */
export class KubernetesCursorStore implements CursorStore {
  readonly #store: ConfigMapStore;

  constructor(cluster: Cluster) {
    this.#store = new ConfigMapStore(cluster, NOTIFIED_NAME);
  }

  async read(channel: string): Promise<DeliveryCursor | undefined> {
    return parseCursor((await this.#store.read())[channel]);
  }

  async change(channel: string, edit: (present: DeliveryCursor | undefined) => DeliveryCursor): Promise<void> {
    await this.#store.change((data) => {
      const text = JSON.stringify(edit(parseCursor(data[channel])));
      return text === data[channel] ? data : { ...data, [channel]: text };
    });
  }
}

import { parseStanding, type Outbox, type Standing } from "../../notify/outbox.ts";
import type { Cluster } from "./cluster.ts";
import { Entries } from "./config-map-store.ts";

/** Name of the ConfigMap, in the stack's namespace. */
export const NOTIFIED_NAME = "exai-rollout-notified";

/**
 * Standings as entries of one ConfigMap, by the channels' names: the history is the cluster's, so any machine goes on where
 * another one stopped.
 */
export class ClusterOutbox implements Outbox {
  readonly #entries: Entries;

  constructor(cluster: Cluster) {
    this.#entries = new Entries(cluster, NOTIFIED_NAME);
  }

  async read(channel: string): Promise<Standing | undefined> {
    return parseStanding((await this.#entries.read())[channel]);
  }

  async change(channel: string, edit: (present: Standing | undefined) => Standing): Promise<void> {
    await this.#entries.change((data) => {
      const text = JSON.stringify(edit(parseStanding(data[channel])));
      return text === data[channel] ? data : { ...data, [channel]: text };
    });
  }
}

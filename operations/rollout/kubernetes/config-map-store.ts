import { ConflictError, type Cluster } from "./cluster.ts";
import type { ConfigMap, Found } from "./api-types.ts";

/** The entries of a ConfigMap by their keys. */
export type Data = Readonly<Record<string, string>>;

const KIND = { apiVersion: "v1", kind: "ConfigMap" } as const;

/** A ConfigMap that several processes change by compare-and-swap. */
export class ConfigMapStore {
  readonly #cluster: Cluster;
  readonly #name: string;

  constructor(cluster: Cluster, name: string) {
    this.#cluster = cluster;
    this.#name = name;
  }

  async read(): Promise<Data> {
    return (await this.#read())?.data ?? {};
  }

  /** @param edit called again after a conflict; if it returns its argument, nothing is written */
  async change(edit: (data: Data) => Data): Promise<void> {
    for (;;) {
      const current = await this.#read();
      const before = current?.data ?? {};
      const data = edit(before);
      if (data === before) return;
      try {
        if (current === undefined) {
          const metadata = { name: this.#name, namespace: this.#cluster.namespace };
          await this.#cluster.create<ConfigMap>({ ...KIND, metadata, data });
        } else {
          await this.#cluster.replace<ConfigMap>({ ...current, ...KIND, data });
        }
        return;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    }
  }

  async #read(): Promise<Found<ConfigMap> | undefined> {
    return this.#cluster.read<ConfigMap>({ ...KIND, name: this.#name });
  }
}

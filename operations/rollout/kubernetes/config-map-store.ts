import { ConflictError, type Cluster } from "./cluster.ts";
import type { ConfigMap, Found } from "./api-types.ts";

/** The entries of a ConfigMap by their keys. */
export type Data = Readonly<Record<string, string>>;

const KIND = { apiVersion: "v1", kind: "ConfigMap" } as const;

/** A ConfigMap of the stack's namespace that several processes change: each change replaces exactly the version that it saw. */
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

  /** @param edit asked again where somebody was faster; what returns its argument writes nothing */
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

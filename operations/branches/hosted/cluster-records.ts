import { gunzipSync, gzipSync } from "node:zlib";
import type { Cluster } from "../../rollout/kubernetes/cluster.ts";
import { ConfigMapStore, type Data } from "../../rollout/kubernetes/config-map-store.ts";
import type { BranchRecords } from "../records.ts";

/** ConfigMap with the records that are read together. */
const INDEX = "exai-branches";

/**
 * Records in the namespace of a stack, so that every machine with its cluster has them. What is small is in one ConfigMap, and the
 * schemas of a branch in another: compressed, one takes about a twentieth of the megabyte that a ConfigMap may have.
 */
export class ClusterRecords implements BranchRecords {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  placeOf(name: string): string {
    return `ConfigMap ${this.#cluster.namespace}/${mapOf(name)}, ${name}`;
  }

  async names(): Promise<readonly string[]> {
    return Object.keys(await this.#map(INDEX).read());
  }

  async read(name: string): Promise<string | undefined> {
    const map = mapOf(name);
    const text = (await this.#map(map).read())[name];
    return text === undefined || map === INDEX ? text : gunzipSync(Buffer.from(text, "base64")).toString("utf8");
  }

  async write(name: string, text: string): Promise<void> {
    const map = mapOf(name);
    const content = map === INDEX ? text : gzipSync(text).toString("base64");
    await this.#map(map).change((data) => ({ ...data, [name]: content }));
  }

  async remove(name: string): Promise<void> {
    const map = mapOf(name);
    let left: Data = {};
    await this.#map(map).change((data) => {
      left = Object.fromEntries(Object.entries(data).filter(([key]) => key !== name));
      return name in data ? left : data;
    });
    if (map === INDEX || Object.keys(left).length > 0) return;
    const metadata = { name: map, namespace: this.#cluster.namespace };
    await this.#cluster.remove({ apiVersion: "v1", kind: "ConfigMap", metadata });
  }

  #map(name: string): ConfigMapStore {
    return new ConfigMapStore(this.#cluster, name);
  }
}

/** The ConfigMap of a record: schemas have a part in their name, such as `new-search.base.json`. */
function mapOf(name: string): string {
  const [branch = "", ...parts] = name.replace(/\.json$/, "").split(".");
  return parts.length === 0 || (parts.length === 1 && parts[0] === "merge") ? INDEX : `exai-branch-${branch}`;
}

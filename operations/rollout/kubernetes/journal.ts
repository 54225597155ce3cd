import { UserError } from "../../../contract/errors.ts";
import { command, fix, Fix } from "../../../contract/fix.ts";
import { parseJournal, type HistoryEntry, type Journal } from "../model/journal.ts";
import { FencedError, type Lease } from "../ports/lease.ts";
import { newestLines } from "../../newest-lines.ts";
import { ConflictError, type Cluster } from "./cluster.ts";
import type { ConfigMap, Found } from "./api-types.ts";
import type { GateCheck, JournalStore, JournalWriter } from "../ports/journal.ts";
import { ConfigMapStore } from "./config-map-store.ts";

/** Name of the ConfigMap, in the stack's namespace. */
export const JOURNAL_NAME = "exai-rollout-journal";

/** Name of the ConfigMap with the gates' last check. It changes every few seconds, so it is not in the journal's object. */
export const CHECK_NAME = "exai-rollout-check";

const JOURNAL = "journal.json";
const CHECK = "check.json";
const HISTORY = "history.jsonl";

/** Annotation with the highest fencing token that has opened the journal. */
const TOKEN = "exai.rollout-token";

/**
 * Bytes of history that are kept, newest first. The API server accepts 1 MiB in a ConfigMap. A rollout of four steps has
 * about 20 KiB with its verdicts.
 */
const HISTORY_BYTES = 640 * 1024;

/**
 * Journal and history in one ConfigMap, replaced by compare-and-swap: both are written together, and a writer that was
 * suspended gets a conflict.
 */
export class KubernetesJournalStore implements JournalStore {
  readonly #cluster: Cluster;
  readonly #check: ConfigMapStore;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#check = new ConfigMapStore(cluster, CHECK_NAME);
  }

  async read(): Promise<Journal | undefined> {
    const text = (await this.#read())?.data?.[JOURNAL];
    return text === undefined ? undefined : parseJournal(text, this.#place());
  }

  async history(): Promise<readonly HistoryEntry[]> {
    const text = (await this.#read())?.data?.[HISTORY] ?? "";
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as HistoryEntry);
  }

  async publish(check: GateCheck): Promise<void> {
    await this.#check.change(() => ({ [CHECK]: JSON.stringify(check) }));
  }

  async lastCheck(): Promise<GateCheck | undefined> {
    const text = (await this.#check.read())[CHECK];
    return text === undefined ? undefined : (JSON.parse(text) as GateCheck);
  }

  /** The highest token that has opened the journal; 0 if there is no journal. */
  async token(): Promise<number> {
    return tokenOf(await this.#read());
  }

  async open(lease: Lease): Promise<JournalWriter> {
    let current = await this.#stamp(lease.token);
    return {
      write: async (journal) => {
        try {
          current = await this.#write(current, journal, lease.token);
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          throw new UserError(
            error.code,
            this.#place(),
            `the journal cannot be written, so nothing was changed after ${journal.entry?.from ?? "the start"}: ${error.message}`,
            new Fix([
              ...error.fix.parts,
              ...fix`; then: ${command("rollout resume")} (or ${command("rollout abort")})`.parts,
            ]),
            { cause: error },
          );
        }
      },
    };
  }

  /** Shuts older tokens out: their next write gets a conflict and then finds the newer token. */
  async #stamp(token: number): Promise<Found<ConfigMap>> {
    for (;;) {
      const current = await this.#read();
      refuse(current, token);
      try {
        if (current === undefined) return await this.#cluster.create(this.#object(token, {}));
        return await this.#cluster.replace(stamped(current, token));
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    }
  }

  async #write(before: Found<ConfigMap>, journal: Journal, token: number): Promise<Found<ConfigMap>> {
    let current = before;
    for (;;) {
      const lines = (current.data?.[HISTORY] ?? "").split("\n").filter((line) => line !== "");
      if (journal.entry !== undefined) lines.push(JSON.stringify(journal.entry));
      const data = {
        ...current.data,
        [JOURNAL]: JSON.stringify(journal),
        [HISTORY]: newestLines(lines, HISTORY_BYTES)
          .map((line) => `${line}\n`)
          .join(""),
      };
      try {
        return await this.#cluster.replace({ ...stamped(current, token), data });
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        const present = await this.#read();
        refuse(present, token);
        // Its metadata were changed, or it was deleted: this journal is the newest.
        current = present ?? (await this.#cluster.create(this.#object(token, current.data ?? {})));
      }
    }
  }

  #object(token: number, data: Record<string, string>): ConfigMap {
    return {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: JOURNAL_NAME, namespace: this.#cluster.namespace, annotations: { [TOKEN]: String(token) } },
      data,
    };
  }

  async #read(): Promise<Found<ConfigMap> | undefined> {
    return this.#cluster.read<ConfigMap>({ apiVersion: "v1", kind: "ConfigMap", name: JOURNAL_NAME });
  }

  #place(): string {
    return `ConfigMap ${this.#cluster.namespace}/${JOURNAL_NAME}`;
  }
}

function stamped(current: Found<ConfigMap>, token: number): Found<ConfigMap> {
  const annotations = { ...current.metadata.annotations, [TOKEN]: String(token) };
  return { ...current, apiVersion: "v1", kind: "ConfigMap", metadata: { ...current.metadata, annotations } };
}

function tokenOf(object: ConfigMap | undefined): number {
  return Number(object?.metadata?.annotations?.[TOKEN] ?? 0);
}

function refuse(object: ConfigMap | undefined, token: number): void {
  const newest = tokenOf(object);
  if (newest > token)
    throw new FencedError(`${JOURNAL_NAME}: token ${String(token)} has been superseded by ${String(newest)}`);
}

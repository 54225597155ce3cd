import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { TakenError, type Holder, type Lease, type LeaseStore } from "../ports/lease.ts";
import { currentUser, isGone, ownIdentity, type ProcessIdentity } from "../host/process-identity.ts";
import { ConflictError, type Cluster } from "./cluster.ts";
import type { Found, Lease as LeaseObject } from "./api-types.ts";

/** Name of the rollout's Lease, in the stack's namespace. */
export const LEASE_NAME = "exai-rollout";

/** Name of the Lease of what changes branches of the stack's database. */
export const BRANCHES_LEASE = "exai-branches";

/** Seconds after its last renewal at which a lease expires; Kubernetes' controllers use the same. */
const LEASE_SECONDS = 15;

/** Seconds between two renewals. A renewal also detects that another process has taken the lease. */
const RENEW_SECONDS = 2;

const API = "coordination.k8s.io/v1";

/** Annotation with the holder as JSON; `spec.holderIdentity` is one string for people. */
const HOLDER = "exai.holder";

export interface KubernetesLeaseOptions {
  /** Name of the Lease. @default that of the rollout */
  readonly name?: string;
  /** @default 15 */
  readonly seconds?: number;
  /** The highest token that has written journal or routes: a Lease that was deleted must not start below it. @default 0 */
  readonly floor?: () => Promise<number>;
}

/**
 * The lease as a Lease object of coordination.k8s.io. Every change is a compare-and-swap on its version; the fencing token
 * is `leaseTransitions`, which grows with each holder.
 *
 * The clocks of two machines are never compared to take a lease: it has expired if it did not change for its duration while
 * this process watched. The lease of a process of this machine that has ended is free at once.
 */
export class KubernetesLeaseStore implements LeaseStore {
  readonly #cluster: Cluster;
  readonly #name: string;
  readonly #seconds: number;
  readonly #floor: () => Promise<number>;

  constructor(cluster: Cluster, options: KubernetesLeaseOptions = {}) {
    this.#cluster = cluster;
    this.#name = options.name ?? LEASE_NAME;
    this.#seconds = options.seconds ?? LEASE_SECONDS;
    this.#floor = options.floor ?? (() => Promise.resolve(0));
  }

  async acquire(verb: string): Promise<Lease> {
    return this.#take(verb, async (current) => {
      if (await this.#alive(current)) throw refused(current);
    });
  }

  async seize(verb: string): Promise<Lease> {
    return this.#take(verb, () => Promise.resolve());
  }

  async holder(): Promise<Holder | undefined> {
    const current = await this.#read();
    if (current === undefined || !isHeld(current)) return undefined;
    const holder = holderOf(current);
    if (await isGone(holder)) return undefined;
    // A read does not watch the lease, so it compares clocks. They may differ, so an old renewal only raises a doubt.
    const { who, pid, verb } = holder;
    return { who, pid, verb, ...(freshness(current) < durationOf(current) ? {} : { doubtful: true }) };
  }

  async #take(verb: string, admit: (current: Found<LeaseObject>) => Promise<void>): Promise<Lease> {
    const mark = { ...(await ownIdentity()), who: currentUser(), verb };
    for (;;) {
      const current = await this.#read();
      if (current !== undefined && isHeld(current)) await admit(current);
      const token = Math.max(current?.spec?.leaseTransitions ?? 0, await this.#floor()) + 1;
      const now = microTime();
      const next: LeaseObject = {
        apiVersion: API,
        kind: "Lease",
        metadata: {
          ...(current?.metadata ?? { name: this.#name, namespace: this.#cluster.namespace }),
          annotations: { ...current?.metadata.annotations, [HOLDER]: JSON.stringify(mark) },
        },
        spec: {
          holderIdentity: `${mark.who} (${verb}, process ${String(mark.pid)})`,
          leaseDurationSeconds: this.#seconds,
          leaseTransitions: token,
          acquireTime: now,
          renewTime: now,
        },
      };
      try {
        const taken =
          current === undefined
            ? await this.#cluster.create(next)
            : await this.#cluster.replace(next as Found<LeaseObject>);
        return this.#renewed(taken, token);
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error; // another process was faster: read again
      }
    }
  }

  #renewed(taken: Found<LeaseObject>, token: number): Lease {
    const lost = new AbortController();
    let current = taken;
    let last = performance.now();
    const write = async (spec: Partial<NonNullable<LeaseObject["spec"]>>): Promise<void> => {
      const started = performance.now();
      try {
        current = await this.#cluster.replace({
          ...current,
          spec: { ...current.spec, renewTime: microTime(), ...spec },
        });
        last = started;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        const present = await this.#read();
        if (present?.spec?.leaseTransitions !== token) throw new TakenError();
        current = present; // only its metadata were changed; the next renewal uses this version
      }
    };
    let renewing = Promise.resolve();
    const timer = setInterval(() => {
      renewing = renewing
        .then(() => (lost.signal.aborted ? undefined : write({})))
        .catch((error: unknown) => {
          // A later renewal may succeed before the lease expires. A third of the lease is left for a slow last write.
          const over = performance.now() - last > (this.#seconds * 1000 * 2) / 3;
          if (!(error instanceof TakenError) && !over) return;
          clearInterval(timer);
          lost.abort(error);
        });
    }, RENEW_SECONDS * 1000);
    timer.unref();
    return {
      token,
      lost: lost.signal,
      release: async () => {
        clearInterval(timer);
        await renewing;
        if (!lost.signal.aborted) await write({ holderIdentity: "" }).catch(() => undefined); // otherwise it expires
      },
    };
  }

  /** Whether the holder is alive. A recent renewal is trusted; a lease with an older one is watched for its duration. */
  async #alive(seen: Found<LeaseObject>): Promise<boolean> {
    if (await isGone(holderOf(seen))) return false;
    const duration = durationOf(seen);
    if (freshness(seen) < duration) return true;
    const began = performance.now();
    while (performance.now() - began < duration * 1000) {
      await sleep(500);
      const present = await this.#read();
      if (present === undefined || !isHeld(present)) return false;
      if (present.metadata.resourceVersion !== seen.metadata.resourceVersion) return true;
    }
    return false;
  }

  async #read(): Promise<Found<LeaseObject> | undefined> {
    return this.#cluster.read<LeaseObject>({ apiVersion: API, kind: "Lease", name: this.#name });
  }
}

function isHeld({ spec }: LeaseObject): boolean {
  return (spec?.holderIdentity ?? "") !== "";
}

function durationOf({ spec }: LeaseObject): number {
  return spec?.leaseDurationSeconds ?? LEASE_SECONDS;
}

/** Seconds since the last renewal by the clocks of two machines; infinite if the renewal is in the future. */
function freshness({ spec }: LeaseObject): number {
  const age = (Date.now() - Date.parse(spec?.renewTime ?? "1970-01-01")) / 1000;
  return age < -1 ? Infinity : age;
}

/** The current time with microseconds, as the API requires. */
function microTime(): string {
  return new Date().toISOString().replace("Z", "000Z");
}

function holderOf(lease: Found<LeaseObject>): Holder & ProcessIdentity {
  try {
    return JSON.parse(lease.metadata.annotations?.[HOLDER] ?? "") as Holder & ProcessIdentity;
  } catch {
    const who = lease.spec?.holderIdentity ?? "";
    return { who, verb: "?", pid: 0, boot: "", processNamespace: "", processStart: "" };
  }
}

function refused(lease: Found<LeaseObject>): UserError {
  const { who, verb, pid } = holderOf(lease);
  const ofRollout = lease.metadata.name === LEASE_NAME;
  const expires = `or end that process; the lease expires ${String(durationOf(lease))} s after its last renewal`;
  return new UserError(
    "lock-held",
    ofRollout ? "rollout lease" : `lease ${lease.metadata.name}`,
    `${who} holds it: \`${verb}\`, process ${String(pid)}, token ${String(lease.spec?.leaseTransitions)}`,
    ofRollout ? fix`wait until it ends (${command("rollout status")}), ${expires}` : `wait until it ends, ${expires}`,
  );
}

/** The holder of a lease. */
export interface Holder {
  /** `user@host` */
  readonly who: string;
  readonly pid: number;
  /** Its operation, e.g. `cutover`. */
  readonly verb: string;
  /** Whether it may have ended: by the clocks of two machines, its last renewal is too old or in the future. */
  readonly doubtful?: true;
}

/** The exclusive right to change the rollout. */
export interface Lease {
  /** Fencing token: larger than the token of every earlier holder. Part of every write. */
  readonly token: number;
  /** Aborts if the lease was not renewed in time, with the cause, or with a {@link TakenError} if another process took it. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/** Another process holds the lease. */
export class TakenError extends Error {
  override readonly name = "TakenError";

  constructor() {
    super("another process took the lease");
  }
}

/** A holder with a newer token has taken over: this holder must stop without another write. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

/** Where leases are kept: files of this machine, or one object of coordination.k8s.io. */
export interface LeaseStore {
  /**
   * Acquires the lease and renews it until it is released.
   *
   * @throws UserError (lock-held) that names the holder
   */
  acquire(verb: string): Promise<Lease>;
  /**
   * Takes the lease from its holder, for a rollback that cannot wait for a controller that hangs. The new token shuts the
   * former holder out of journal and routes, and its lease is lost at its next renewal.
   */
  seize(verb: string): Promise<Lease>;
  /** The holder; undefined if the lease is free or its holder has certainly ended. */
  holder(): Promise<Holder | undefined>;
}

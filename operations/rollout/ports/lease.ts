/** Who holds a lease, for the one who is refused. */
export interface Holder {
  /** `user@host` */
  readonly who: string;
  readonly pid: number;
  /** What it is doing, e.g. `cutover`. */
  readonly verb: string;
  /** Whether it may be gone: its last renewal is too old, or in the future, by the clocks of two machines. */
  readonly doubtful?: true;
}

/** The right to change the rollout, alone. */
export interface Lease {
  /** Larger than that of every earlier holder. Goes with every write. */
  readonly token: number;
  /** Aborts when the lease could not be renewed in time, with why, or with a {@link TakenError} when somebody took it over. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/** The lease is another's. */
export class TakenError extends Error {
  override readonly name = "TakenError";

  constructor() {
    super("somebody else took the lease");
  }
}

/** A holder with a newer token has taken over: this holder must stop without another write. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

/** Where leases are kept: files of this machine, or one object of coordination.k8s.io. */
export interface LeaseStore {
  /**
   * Takes the lease and renews it until it is released.
   *
   * @throws UserError (exit code 3) that names the holder.
   */
  acquire(verb: string): Promise<Lease>;
  /**
   * Takes the lease from whoever has it, for a rollback that cannot wait for a controller that hangs. The next tokens
   * shut the former holder out of journal and routes, and its lease is lost at its next look.
   */
  seize(verb: string): Promise<Lease>;
  /** The present holder; undefined when the lease is free or its holder is known to be gone. */
  holder(): Promise<Holder | undefined>;
}

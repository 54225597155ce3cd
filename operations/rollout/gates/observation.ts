import type { Slot } from "../../../contract/slots.ts";
import type { Counts, Traffic } from "./traffic-samples.ts";

/** What the gates judge at one check. */
export interface Observation {
  /** This step, or the last minutes of a long one. */
  readonly step: Period;
  /** The part of the rollout in which both slots had users, or its last minutes. Both slots' requests are alike in it. */
  readonly both: Period;
  /** Milliseconds that a WebSocket's round trip may take, including the probes' network delay. */
  readonly roundTripLimit: number;
  /** Round trips of the probes' WebSockets on this step, slow ones above that limit. */
  readonly roundTrips: readonly ProbedSeconds[];
  /** HTTP status with which the stable slot last refused a probe's WebSocket; absent if it refused none. */
  readonly refusal?: number;
  /** Answers to the probes' requests on this step. */
  readonly probes: readonly ProbedAnswers[];
  /** Whether the candidate must refuse WebSockets that the stable slot accepts: a key is retired. */
  readonly retiresKey?: boolean;
  /** Milliseconds of the candidate's answers to health checks on this step. */
  readonly health: readonly number[];
  /** The stable slot when it had all users, before the rollout. */
  readonly before?: Pick<Counts, "handled" | "latency" | "cpuSeconds">;
}

interface Period {
  readonly traffic: Traffic;
  /** Number of the test that now runs, from 1: see `epochLevel`. */
  readonly epoch: number;
}

/** The probes' round trips by slot in the same few seconds. */
export type ProbedSeconds = Readonly<Record<Slot, ProbedRoundTrips>>;

export interface ProbedRoundTrips {
  readonly done: number;
  /** Those of {@link done} that took longer than the limit. */
  readonly slow: number;
  /** Not answered, or the connection was dropped. */
  readonly lost: number;
  /** Openings that were answered with HTTP, below 500. */
  readonly refused: number;
}

/** Answers to the probes' requests by slot in the same few seconds; refused: 400 to 499. */
export type ProbedAnswers = Readonly<Record<Slot, { readonly answered: number; readonly refused: number }>>;

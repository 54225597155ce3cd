import type { z } from "zod";

/** The three environments. A stack's name is its environment, unless `exai:environment` says otherwise. */
export const ENVIRONMENTS = ["local", "staging", "prod"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

/** One key of the configuration. */
export interface Setting<Parsed = unknown> {
  /** Turns the raw string into the value. */
  readonly check: z.ZodType<Parsed, string>;
  /** What it is, with its unit; one line. */
  readonly about: string;
  readonly secret?: true;
  /** Raw default, the same everywhere or per environment; without one the setting may be absent. */
  readonly fallback?: string | Partial<Record<Environment, string>>;
  /** Environments that refuse to run without a value. */
  readonly required?: readonly Environment[];
  /** Whether a plan without credentials may run before the deployment has supplied it. */
  readonly deferrable?: true;
  /** A value that a user could set, for the fixing command. */
  readonly example: string;
}

/** Keeps the precise type of a setting, so that what has a default everywhere is never undefined after parsing. */
export const define = <const Precise extends Setting>(setting: Precise): Precise => setting;

/** Clusters, as opposed to this machine. */
export const CLUSTERS = ["staging", "prod"] as const;

/** The raw default of a setting in an environment. */
export function fallbackOf(setting: Setting, environment: Environment): string | undefined {
  return typeof setting.fallback === "string" ? setting.fallback : setting.fallback?.[environment];
}

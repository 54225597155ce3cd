import type { Rule } from "../../model/rule.ts";
import { disruption } from "./disruption.ts";
import { graceful } from "./graceful.ts";
import { ignoredChanges } from "./ignored-changes.ts";
import { probes } from "./probes.ts";
import { protectedData } from "./protected-data.ts";
import { protectedKeys } from "./protected-keys.ts";
import { resourceOptions } from "./resource-options.ts";
import { slots } from "./slots.ts";
import { spread } from "./spread.ts";
import { weights } from "./weights.ts";

/** Rules about what a rollout needs. In the order of reports. */
export const ROLLOUT_RULES: readonly Rule[] = [
  probes,
  graceful,
  disruption,
  spread,
  slots,
  weights,
  protectedData,
  protectedKeys,
  ignoredChanges,
  resourceOptions,
];

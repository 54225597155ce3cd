import type { Rule } from "../../model/rule.ts";
import { oneCluster } from "./one-cluster.ts";
import { providerOptions } from "./provider-options.ts";
import { unknownKind } from "./unknown-kind.ts";

/** Rules about what the other rules understand. In the order of reports. */
export const KIND_RULES: readonly Rule[] = [unknownKind, providerOptions, oneCluster];

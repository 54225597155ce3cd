import type { Rule } from "../model/rule.ts";
import { BACKUP_RULES } from "./backups/index.ts";
import { DATABASE_RULES } from "./database/index.ts";
import { DOCKER_RULES } from "./docker/index.ts";
import { KIND_RULES } from "./kinds/index.ts";
import { KUBERNETES_RULES } from "./kubernetes/index.ts";
import { NETWORK_RULES } from "./network/index.ts";
import { RIGHTS_RULES } from "./rights/index.ts";
import { ROLLOUT_RULES } from "./rollout/index.ts";
import { SECRET_RULES } from "./secrets/index.ts";
import { SERVICE_LEVEL_RULES } from "./slo/index.ts";
import { SUPPLY_CHAIN_RULES } from "./supply-chain/index.ts";

/** Every rule of the pack, in the order of reports. */
export const RULES: readonly Rule[] = [
  ...KIND_RULES,
  ...KUBERNETES_RULES,
  ...DOCKER_RULES,
  ...SUPPLY_CHAIN_RULES,
  ...SECRET_RULES,
  ...NETWORK_RULES,
  ...ROLLOUT_RULES,
  ...DATABASE_RULES,
  ...RIGHTS_RULES,
  ...BACKUP_RULES,
  ...SERVICE_LEVEL_RULES,
];

import type { Rule } from "../../model/rule.ts";
import { backupAge } from "./backup-age.ts";
import { downAlerts } from "./down-alerts.ts";
import { objectives } from "./objectives.ts";
import { scraped } from "./scraped.ts";

/** Rules about metrics and alerts. In the order of reports. */
export const SERVICE_LEVEL_RULES: readonly Rule[] = [scraped, downAlerts, objectives, backupAge];

import type { Rule } from "../../model/rule.ts";
import { secretEnvironment } from "./environment.ts";
import { secretFlow } from "./flow.ts";
import { literals } from "./literals.ts";
import { secretMarks } from "./marked.ts";
import { secretPlaces } from "./places.ts";
import { serviceRole } from "./service-role.ts";
import { strength } from "./strength.ts";
import { supabaseOptions } from "./supabase-options.ts";
import { supabaseSettings } from "./supabase-settings.ts";

/** Rules about secrets. In the order of reports. */
export const SECRET_RULES: readonly Rule[] = [
  literals,
  secretMarks,
  secretPlaces,
  secretFlow,
  strength,
  secretEnvironment,
  serviceRole,
  supabaseOptions,
  supabaseSettings,
];

import type { Rule } from "../../model/rule.ts";
import { secretEnvironment } from "./environment.ts";
import { literals } from "./literals.ts";
import { secretMarks } from "./marked.ts";
import { serviceRole } from "./service-role.ts";

/** Rules about secrets. In the order of reports. */
export const SECRET_RULES: readonly Rule[] = [literals, secretMarks, secretEnvironment, serviceRole];

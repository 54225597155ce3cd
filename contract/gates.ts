import { createRequire } from "node:module";
import type * as promql from "@prometheus-io/lezer-promql";
import { z } from "zod";

/** What a query of {@link GateQuery} writes where the slot belongs. */
export const SLOT_PLACEHOLDER = "$slot";

const COMPARISONS = ["<", "<=", ">", ">="] as const;

/** A gate of the user's own: any PromQL whose value must keep to a limit. The settings and the gates share its form. */
export const gateQuery = z.strictObject({
  /** What the verdicts call it. */
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, "is not a name of lower-case letters, digits and hyphens"),
  /** `$slot` stands for `blue` or `green`. Several series: each must keep to the limit. None: no data. */
  query: z.string().superRefine((query, context) => {
    if (!query.includes(SLOT_PLACEHOLDER))
      context.addIssue({ code: "custom", message: `does not say ${SLOT_PLACEHOLDER}, so it judges no slot` });
    const [error] = promqlErrors(query.replaceAll(SLOT_PLACEHOLDER, "blue"));
    if (error !== undefined) context.addIssue({ code: "custom", message: `is no PromQL near "${error}"` });
  }),
  /** How the value must compare with the limit for the gate to pass. */
  comparison: z.enum(COMPARISONS),
  limit: z.number(),
  /**
   * How many times the stable slot's value, at the same moment, the candidate's may be (for `>`: at least must be).
   * Absent: only the limit counts.
   */
  stableRatio: z.number().positive().optional(),
});

/** A gate of the user's own. */
export type GateQuery = Readonly<z.output<typeof gateQuery>>;

/** Where a PromQL expression is wrong, as the text around it; empty when it parses. */
export function promqlErrors(expression: string): readonly string[] {
  // Loaded here alone: few stacks have gates of their own, and every rollback checks its settings first.
  const { parser } = createRequire(import.meta.url)("@prometheus-io/lezer-promql") as typeof promql;
  const errors: string[] = [];
  parser.parse(expression).iterate({
    enter: (node) => {
      if (node.type.isError) errors.push(expression.slice(Math.max(0, node.from - 10), node.to + 20));
    },
  });
  return errors;
}

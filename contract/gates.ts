import { createRequire } from "node:module";
import type * as promql from "@prometheus-io/lezer-promql";
import { z } from "zod";

/** Stands for the slot in a {@link GateQuery}. */
export const SLOT_PLACEHOLDER = "$slot";

const COMPARISONS = ["<", "<=", ">", ">="] as const;

/** A custom gate: PromQL whose value must keep a limit. */
export const gateQuery = z.strictObject({
  /** Name of the gate in its verdicts. */
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, "is not a name of lower-case letters, digits and hyphens"),
  /** `$slot` stands for `blue` or `green`. If it yields several series, each must keep the limit; if none, no data. */
  query: z.string().superRefine((query, context) => {
    if (!query.includes(SLOT_PLACEHOLDER))
      context.addIssue({ code: "custom", message: `does not contain ${SLOT_PLACEHOLDER}, so it judges no slot` });
    const [error] = promqlErrors(query.replaceAll(SLOT_PLACEHOLDER, "blue"));
    if (error !== undefined) context.addIssue({ code: "custom", message: `is not PromQL near "${error}"` });
  }),
  /** How the value must compare with the limit for the gate to pass. */
  comparison: z.enum(COMPARISONS),
  limit: z.number(),
  /**
   * The candidate's value may be at most this many times the stable slot's at the same moment (for `>`: must be at least).
   * Absent: only the limit counts.
   */
  stableRatio: z.number().positive().optional(),
});

/** A custom gate. */
export type GateQuery = Readonly<z.output<typeof gateQuery>>;

/** The text around each error of a PromQL expression; empty if it parses. */
export function promqlErrors(expression: string): readonly string[] {
  // Loaded only here: few stacks have custom gates, and every rollback checks its settings first.
  const { parser } = createRequire(import.meta.url)("@prometheus-io/lezer-promql") as typeof promql;
  const errors: string[] = [];
  parser.parse(expression).iterate({
    enter: (node) => {
      if (node.type.isError) errors.push(expression.slice(Math.max(0, node.from - 10), node.to + 20));
    },
  });
  return errors;
}

import { parser } from "@prometheus-io/lezer-promql";

/** Where a PromQL expression is wrong, as the text around it; empty when it parses. */
export function syntaxErrors(expr: string): string[] {
  const errors: string[] = [];
  parser.parse(expr).iterate({
    enter: (node) => {
      if (node.type.isError) errors.push(expr.slice(Math.max(0, node.from - 10), node.to + 20));
    },
  });
  return errors;
}

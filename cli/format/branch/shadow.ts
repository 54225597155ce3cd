import { command, onStack } from "../../../contract/fix.ts";
import type { Latency } from "../../../operations/branches/shadow/latency.ts";
import type { BranchShadow } from "../../../operations/branches/shadow/shadow.ts";
import { heading, lines, next, pairs, type Block } from "../block.ts";
import { count, span } from "../units.ts";

/** `branch shadow`. */
export function formatBranchShadow(shadow: BranchShadow): readonly Block[] {
  const { name, operations, different, differences, slower, volatile, unstable, main, branch, seconds, stack } = shadow;
  const findings = different + slower.length + unstable.length;
  return [
    ...differences.map(({ line, sql, kind, main: ours, branch: theirs }) =>
      lines(
        `line ${String(line)}, ${kind}: ${short(sql, 100)}`,
        `    main    ${short(ours, 120)}`,
        `    branch  ${short(theirs, 120)}`,
      ),
    ),
    ...(slower.length === 0
      ? []
      : [
          {
            type: "table",
            title: "slower on the branch",
            columns: [
              { title: "STATEMENT" },
              { title: "RUNS", align: "right", priority: 1 },
              { title: "MAIN P50", align: "right" },
              { title: "BRANCH P50", align: "right" },
            ],
            rows: slower.map((each) => [
              ...[short(each.sql, 60), String(each.runs)],
              ...[milliseconds(each.main.p50), milliseconds(each.branch.p50)],
            ]),
          } as const,
        ]),
    ...(unstable.length === 0
      ? []
      : [lines(`not comparable, because two runs on main differ: lines ${unstable.slice(0, 10).join(", ")}`)]),
    ...(volatile.length === 0
      ? []
      : [
          lines(
            "not compared, because two runs on main differ:",
            ...volatile.slice(0, 10).map((each) => `    ${short(each, 100)}`),
          ),
        ]),
    pairs({ main: latency(main), branch: latency(branch) }),
    heading(
      findings === 0
        ? `${name} answers as main does: ${count(operations, "operation")} without a difference (${span(seconds)})`
        : `${name} answers otherwise than main: ${count(different, "difference")} in ${count(operations, "operation")}, ${count(slower.length, "slower statement")} (${span(seconds)})`,
      findings === 0 ? "good" : "bad",
    ),
    ...(findings === 0 ? [] : [next(command(onStack(`branch diff ${name}`, stack)))]),
  ];
}

function latency({ p50, p95 }: Latency): string {
  return `p50 ${milliseconds(p50)}, p95 ${milliseconds(p95)}`;
}

function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

function short(text: string, length: number): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

import type { Resource } from "../../contract/graph.ts";
import { judgeAnswers, type Answer, type RuleText } from "../model/answer.ts";
import type { Reader } from "../model/reader.ts";
import type { Reference, ResourceRule } from "../model/rule.ts";
import { isContainer, noContainers } from "./containers.ts";

/** A rule about every Docker container. */
export function dockerRule(
  text: RuleText,
  check: (container: Reader, resource: Resource) => Answer | Iterable<Answer>,
): ResourceRule {
  return {
    onUnknown: "defer",
    ...text,
    scope: "resource",
    concerns: isContainer,
    notApplicable: noContainers,
    check: (subject) => judgeAnswers(subject, check(subject.inputs, subject.resource)),
  };
}

/** Items of the CIS Docker Benchmark. */
export function cisDocker(...items: readonly string[]): readonly Reference[] {
  return items.map((item) => ({ standard: "CIS Docker 1.6.0", item }));
}

import { judgeAnswers, type Answer, type RuleText } from "../../model/answer.ts";
import type { Reference, ResourceRule } from "../../model/rule.ts";
import { bearsPods, noPods, podsOf, type Container, type Pod } from "./pods.ts";

/** A rule about every pod and pod template. */
export function podRule(text: RuleText, check: (pod: Pod) => Iterable<Answer>): ResourceRule {
  return {
    onUnknown: "defer",
    ...text,
    scope: "resource",
    concerns: bearsPods,
    notApplicable: noPods,
    *check(subject) {
      for (const pod of podsOf(subject)) yield* judgeAnswers(subject, check(pod));
    },
  };
}

/** A rule about every container of every pod, init and ephemeral containers included. */
export function containerRule(
  text: RuleText,
  check: (container: Container, pod: Pod) => Answer | Iterable<Answer>,
): ResourceRule {
  return podRule(text, function* (pod) {
    for (const container of pod.containers) {
      const answers = check(container, pod);
      if (Symbol.iterator in answers) yield* answers;
      else yield answers;
    }
  });
}

/** A check of the Pod Security Standards, profile restricted. */
export function podSecurity(item: string, ...cis: readonly string[]): readonly Reference[] {
  return [
    { standard: "Pod Security Standards, restricted (1.37)", item },
    ...cis.map((number) => ({ standard: "CIS Kubernetes 1.11", item: number })),
  ];
}

import type { Reader } from "../../model/reader.ts";
import { judge, type Reference, type ResourceRule } from "../../model/rule.ts";
import type { Truth } from "../../model/truth.ts";
import { bearsPods, noPods, podsOf, type Container, type Pod } from "../../reading/pods.ts";

/** One answer about a pod: the place, whether it holds, and what to say where it does not. */
export interface Answer {
  readonly at: Reader;
  readonly holds: Truth;
  readonly message: string;
  readonly fix: string;
}

type Text = Pick<ResourceRule, "name" | "title" | "documentation" | "references" | "level"> &
  Partial<Pick<ResourceRule, "levelIn" | "onUnknown" | "only">>;

/** A rule about every pod and pod template. */
export function podRule(text: Text, check: (pod: Pod) => Iterable<Answer>): ResourceRule {
  return {
    onUnknown: "defer",
    ...text,
    scope: "resource",
    concerns: bearsPods,
    idle: noPods,
    *check(subject) {
      for (const pod of podsOf(subject))
        for (const answer of check(pod)) yield judge(subject, answer.at, answer.holds, answer.message, answer.fix);
    },
  };
}

/** A rule about every container of every pod: plain, init and ephemeral ones. */
export function containerRule(
  text: Text,
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

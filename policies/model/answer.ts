import type { Reader } from "./reader.ts";
import { judge, type ResourceRule, type Subject, type Verdict } from "./rule.ts";
import type { Truth } from "./truth.ts";

/** The answer of a rule about one place of a resource: whether it holds, and what to say if it does not. */
export interface Answer {
  readonly at: Reader;
  readonly holds: Truth;
  readonly message: string;
  readonly fix: string;
}

/** The properties in which rules about containers or pods differ. */
export type RuleText = Pick<ResourceRule, "name" | "title" | "documentation" | "references" | "level"> &
  Partial<Pick<ResourceRule, "levelIn" | "onUnknown" | "only">>;

/** The verdicts of answers, one or many. */
export function* judgeAnswers(subject: Subject, answers: Answer | Iterable<Answer>): Generator<Verdict> {
  for (const answer of Symbol.iterator in answers ? answers : [answers])
    yield judge(subject, answer.at, answer.holds, answer.message, answer.fix);
}

/** Neither true nor false: the answer depends on values at these paths, which are known only after apply. */
export class UnknownTruth {
  readonly paths: readonly string[];
  constructor(paths: readonly string[]) {
    this.paths = paths;
  }
}

/** A three-valued answer (Kleene's strong logic). */
export type Truth = boolean | UnknownTruth;

/** True if all answers are true, false if one is false, else unknown. */
export function all(...answers: readonly Truth[]): Truth {
  if (answers.includes(false)) return false;
  return unknownOf(answers) ?? true;
}

/** True if one answer is true, false if all are false, else unknown. */
export function any(...answers: readonly Truth[]): Truth {
  if (answers.includes(true)) return true;
  return unknownOf(answers) ?? false;
}

/** The opposite; unknown stays unknown. */
export function not(answer: Truth): Truth {
  return answer instanceof UnknownTruth ? answer : !answer;
}

function unknownOf(answers: readonly Truth[]): UnknownTruth | undefined {
  const paths = answers.flatMap((answer) => (answer instanceof UnknownTruth ? answer.paths : []));
  return answers.some((answer) => answer instanceof UnknownTruth) ? new UnknownTruth([...new Set(paths)]) : undefined;
}

/** Neither yes nor no: the answer hangs on values that only the engine will know, at these paths. */
export class UnknownTruth {
  readonly paths: readonly string[];
  constructor(paths: readonly string[]) {
    this.paths = paths;
  }
}

/** Answer of a three-valued question (Kleene's strong logic). */
export type Truth = boolean | UnknownTruth;

/** True where all are, false where one is, else unsure of what is open. */
export function all(...answers: readonly Truth[]): Truth {
  if (answers.includes(false)) return false;
  return unknownOf(answers) ?? true;
}

/** True where one is, false where none is, else unsure of what is open. */
export function any(...answers: readonly Truth[]): Truth {
  if (answers.includes(true)) return true;
  return unknownOf(answers) ?? false;
}

/** The opposite; unsure stays unsure. */
export function not(answer: Truth): Truth {
  return answer instanceof UnknownTruth ? answer : !answer;
}

function unknownOf(answers: readonly Truth[]): UnknownTruth | undefined {
  const paths = answers.flatMap((answer) => (answer instanceof UnknownTruth ? answer.paths : []));
  return answers.some((answer) => answer instanceof UnknownTruth) ? new UnknownTruth([...new Set(paths)]) : undefined;
}

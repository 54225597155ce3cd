/** Neither yes nor no: the answer hangs on values that only the engine will know, at these paths. */
export class Unsure {
  readonly paths: readonly string[];
  constructor(paths: readonly string[]) {
    this.paths = paths;
  }
}

/** Answer of a three-valued question (Kleene's strong logic). */
export type Truth = boolean | Unsure;

/** True where all are, false where one is, else unsure of what is open. */
export function all(...answers: readonly Truth[]): Truth {
  if (answers.includes(false)) return false;
  return unsureOf(answers) ?? true;
}

/** True where one is, false where none is, else unsure of what is open. */
export function any(...answers: readonly Truth[]): Truth {
  if (answers.includes(true)) return true;
  return unsureOf(answers) ?? false;
}

/** The opposite; unsure stays unsure. */
export function not(answer: Truth): Truth {
  return answer instanceof Unsure ? answer : !answer;
}

function unsureOf(answers: readonly Truth[]): Unsure | undefined {
  const paths = answers.flatMap((answer) => (answer instanceof Unsure ? answer.paths : []));
  return answers.some((answer) => answer instanceof Unsure) ? new Unsure([...new Set(paths)]) : undefined;
}

/** Result of a run of TAP (Test Anything Protocol). */
export interface TapResult {
  /** Tests in the plan. */
  readonly planned: number;
  readonly passed: number;
  readonly failures: readonly { readonly title: string; readonly diagnostics: readonly string[] }[];
}

/** Reads the lines of a TAP stream. A missing plan, and a number of tests other than the plan's, are failures too. */
export function parseTap(lines: readonly string[]): TapResult {
  let planned: number | undefined;
  let passed = 0;
  const failures: { title: string; diagnostics: string[] }[] = [];
  let failing: string[] | undefined;
  for (const line of lines) {
    const plan = /^1\.\.(\d+)$/.exec(line);
    const test = /^(not )?ok \d+(?: - (.*))?$/.exec(line);
    if (plan !== null) planned = Number(plan[1]);
    else if (test !== null) {
      failing = undefined;
      if (test[1] === undefined) passed += 1;
      else {
        failing = [];
        failures.push({ title: test[2] ?? line, diagnostics: failing });
      }
    } else if (failing !== undefined && line.startsWith("#")) failing.push(line.replace(/^# ?/, ""));
  }
  const ran = passed + failures.length;
  if (planned === undefined) failures.push({ title: "no plan", diagnostics: ["the file has no plan"] });
  else if (planned === 0) failures.push({ title: "empty plan", diagnostics: ["a file without tests proves nothing"] });
  else if (planned !== ran)
    failures.push({ title: "wrong plan", diagnostics: [`${planned} tests were planned and ${ran} ran`] });
  return { planned: planned ?? 0, passed, failures };
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkov } from "./suites/checkov.ts";
import { kubeLinter } from "./suites/kube-linter.ts";
import { kyverno } from "./suites/kyverno.ts";
import { podSecurity } from "./suites/pod-security.ts";
import { polaris } from "./suites/polaris.ts";
import { splinter } from "./suites/splinter.ts";
import type { Case, Suite } from "./suites/suite.ts";

/**
 * Precision and recall of the rules on the public suites of others. To refuse what a suite refuses is a hit; where we
 * disagree intentionally the reason is printed, and any other disagreement fails the run.
 *
 *   node bench/suites.ts <folder of checkouts> [suite …]
 *
 * The folder has the checkouts by their repositories' names, e.g. `git clone https://github.com/kyverno/policies`; a suite
 * that is not there is left out, with a line that says so. None of their files is part of this repository.
 */
const SUITES: readonly Suite[] = [podSecurity, kyverno, checkov, kubeLinter, polaris, splinter];

const [folder, ...asked] = process.argv.slice(2);
if (folder === undefined) {
  console.error("usage: node bench/suites.ts <folder of checkouts> [suite …]");
  process.exit(2);
}

const rows: string[] = [];
const reported: string[] = [];
let unexplained = 0;
for (const suite of SUITES) {
  const name = suite.repository.split("/").at(-1) ?? "";
  if (asked.length > 0 && !asked.includes(name)) continue;
  const checkout = join(folder, name);
  if (!existsSync(checkout)) {
    reported.push(`left out: ${checkout} is not there: git clone https://github.com/${suite.repository} ${checkout}`);
    continue;
  }
  const cases: Case[] = [];
  for await (const one of suite.cases(checkout)) cases.push(one);
  const count = (refuse: boolean, refused: boolean) =>
    cases.filter((one) => one.refuse === refuse && one.findings.length > 0 === refused).length;
  const [hits, misses, alarms, passes] = [
    count(true, true),
    count(true, false),
    count(false, true),
    count(false, false),
  ];
  const wrong = cases.filter((one) => one.refuse !== one.findings.length > 0);
  const reasonOf = (one: Case) => suite.disagreements.find(([pattern]) => pattern.test(one.id))?.[1];
  const open = wrong.filter((one) => reasonOf(one) === undefined);
  unexplained += open.length;
  rows.push(
    `| ${suite.repository} | ${cases.length} | ${hits + misses} | ${alarms + passes} | ${ratio(hits, hits + alarms)} | ${ratio(hits, hits + misses)} | ${wrong.length - open.length} | ${open.length} |`,
  );
  for (const [pattern, reason] of suite.disagreements) {
    const here = wrong.filter((one) => pattern.test(one.id));
    if (here.length === 0)
      reported.push(`${suite.repository}: nothing needs the reason for ${pattern.source} any more`);
    else
      reported.push(
        `${suite.repository}: ${here.length} intentional, ${here.map(({ id }) => id).join(", ")}: ${reason}`,
      );
  }
  for (const one of open)
    reported.push(
      `${suite.repository}: ${one.refuse ? "missed" : "refused without need"}: ${one.id} ${one.findings.join("; ")}`,
    );
}

console.log("| suite | cases | to refuse | to let pass | precision | recall | intentional | unexplained |");
console.log("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
for (const row of rows) console.log(row);
for (const line of reported) console.log(line);
process.exitCode = unexplained === 0 && rows.length > 0 ? 0 : 1;

function ratio(part: number, whole: number): string {
  return whole === 0 ? "-" : (part / whole).toFixed(3);
}

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Inputs, Resource } from "../contract/graph.ts";
import { subjectOf } from "../policies/model/rule.ts";
import { RULES } from "../policies/rules.ts";

/**
 * Precision and recall of the Pod Security rules on the suite of kubernetes/pod-security-admission, whose files say
 * what the profile "restricted" must let pass and what it must refuse.
 *
 *   node bench/podSecurity.ts <folder with test/testdata> [version, e.g. v1.37]
 */
const [folder, version = "v1.37"] = process.argv.slice(2);
if (folder === undefined) {
  console.error("usage: node bench/podSecurity.ts <checkout of kubernetes/pod-security-admission> [version]");
  process.exit(2);
}

const rules = RULES.filter(
  (rule) => rule.scope === "resource" && rule.references.some(({ standard }) => standard.startsWith("Pod Security")),
);
const tally = { truePositive: 0, falsePositive: 0, trueNegative: 0, falseNegative: 0 };

for (const verdict of ["pass", "fail"] as const) {
  const directory = join(folder, "test/testdata/restricted", version, verdict);
  for (const file of readdirSync(directory)) {
    for (const document of parseAllDocuments(readFileSync(join(directory, file), "utf8"))) {
      const findings = refusals(document.toJS() as Inputs);
      if (verdict === "fail" && findings.length > 0) tally.truePositive += 1;
      else if (verdict === "fail") {
        tally.falseNegative += 1;
        console.log(`missed: ${file}`);
      } else if (findings.length > 0) {
        tally.falsePositive += 1;
        console.log(`refused without need: ${file}: ${findings.join(", ")}`);
      } else tally.trueNegative += 1;
    }
  }
}

const { truePositive, falsePositive, trueNegative, falseNegative } = tally;
console.log(`${version}: ${truePositive + falseNegative} to refuse, ${trueNegative + falsePositive} to let pass`);
console.log(
  `precision ${ratio(truePositive, truePositive + falsePositive)}, recall ${ratio(truePositive, truePositive + falseNegative)}`,
);

function refusals(inputs: Inputs): string[] {
  const resource: Resource = {
    urn: "urn:pulumi:prod::suite::kubernetes:core/v1:Pod::pod",
    type: "kubernetes:core/v1:Pod",
    name: "pod",
    custom: true,
    inputs,
    dependencies: [],
    propertyDependencies: {},
    options: { protect: false, ignoreChanges: [], deleteBeforeReplace: false, additionalSecretOutputs: [] },
  };
  return rules.flatMap((rule) =>
    rule.scope === "resource" &&
    rule.concerns(resource) &&
    [...rule.check(subjectOf(resource), "prod")].some((verdict) => verdict.outcome !== "pass")
      ? [rule.name]
      : [],
  );
}

function ratio(part: number, whole: number): string {
  return whole === 0 ? "no cases" : `${((100 * part) / whole).toFixed(1)} %`;
}

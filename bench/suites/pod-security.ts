import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RULES } from "../../policies/rules/index.ts";
import { findingsAbout, objectsIn, type Case, type Suite } from "./suite.ts";

const DATA = "test/testdata/restricted";
const RESTRICTED = RULES.filter((rule) =>
  rule.references.some(({ standard }) => standard.startsWith("Pod Security")),
).flatMap((rule) => (rule.scope === "resource" ? [rule.name] : []));

/** The upstream of the Pod Security Standards: what the profile "restricted" of the newest version refuses. */
export const podSecurity: Suite = {
  repository: "kubernetes/pod-security-admission",
  reads: [DATA],
  *cases(folder): Generator<Case> {
    const newest = readdirSync(join(folder, DATA))
      .sort((a, b) => Number(b.split(".")[1]) - Number(a.split(".")[1]))
      .at(0);
    if (newest === undefined) throw new Error(`there is no version below ${DATA}`);
    for (const verdict of ["pass", "fail"])
      for (const file of readdirSync(join(folder, DATA, newest, verdict)))
        yield {
          id: `${newest}/${verdict}/${file}`,
          refuse: verdict === "fail",
          findings: findingsAbout(objectsIn(readFileSync(join(folder, DATA, newest, verdict, file), "utf8")), {
            rules: RESTRICTED,
          }),
        };
  },
  disagreements: [],
};

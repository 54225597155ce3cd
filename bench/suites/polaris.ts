import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, findingsAbout, objectsIn, type Ask, type Case, type Suite } from "./suite.ts";

const CHECKS = "test/checks";

/** Polaris' checks that ask what one of our rules asks. */
const ASKED: Readonly<Record<string, Ask>> = {
  automountServiceAccountToken: ask("kubernetes-service-account-token"),
  cpuLimitsMissing: ask("kubernetes-resources", /cpu limits/),
  cpuRequestsMissing: ask("kubernetes-resources", /cpu requests/),
  dangerousCapabilities: ask("kubernetes-capabilities", /adds/),
  hostIPCSet: ask("kubernetes-host-namespaces"),
  hostNetworkSet: ask("kubernetes-host-namespaces"),
  hostPIDSet: ask("kubernetes-host-namespaces"),
  hostPathSet: ask("kubernetes-volume-types"),
  hostPortSet: ask("kubernetes-host-ports"),
  hostProcess: ask("kubernetes-host-process"),
  insecureCapabilities: ask("kubernetes-capabilities"),
  livenessProbeMissing: ask("workload-probes", /livenessProbe/),
  memoryLimitsMissing: ask("kubernetes-resources", /memory limits/),
  memoryRequestsMissing: ask("kubernetes-resources", /memory requests/),
  missingPodDisruptionBudget: ask("workload-disruption-budgets"),
  notReadOnlyRootFilesystem: ask("kubernetes-read-only-root"),
  privilegeEscalationAllowed: ask("kubernetes-privilege-escalation"),
  procMount: ask("kubernetes-proc-mount"),
  readinessProbeMissing: ask("workload-probes", /readinessProbe/),
  runAsPrivileged: ask("kubernetes-privileged"),
  runAsRootAllowed: ask("kubernetes-run-as-non-root"),
  sensitiveConfigmapContent: ask("secret-literals"),
  sensitiveContainerEnvVar: ask("secret-literals"),
  tagNotSpecified: ask("image-tags"),
};

/** Polaris' own cases, a file each, that its checks must refuse or let pass. */
export const polaris: Suite = {
  repository: "FairwindsOps/polaris",
  reads: [CHECKS],
  *cases(folder): Generator<Case> {
    for (const [check, asked] of Object.entries(ASKED))
      for (const file of readdirSync(join(folder, CHECKS, check)).sort()) {
        const verdict = /^(success|failure)/.exec(file)?.[1];
        if (verdict === undefined) continue;
        const objects = objectsIn(readFileSync(join(folder, CHECKS, check, file), "utf8"));
        yield { id: `${check}/${file}`, refuse: verdict === "failure", findings: findingsAbout(objects, asked) };
      }
  },
  disagreements: [
    [
      /^automountServiceAccountToken\/success\.(pod|pod_false_serviceaccount_true)\.yaml/,
      "an account whose tokens are mounted unless a pod objects is refused on its own: the next pod may not object",
    ],
    [
      /^automountServiceAccountToken\/success\.serviceaccount/,
      "the pod itself must say so: another stack may change its account",
    ],
    [
      /^insecureCapabilities\/success/,
      "Pod Security's restricted profile asks for ALL in capitals, not for a list of names",
    ],
    [
      /^missingPodDisruptionBudget\/failure/,
      "a budget for a single replica would stop every drain of its node; the rule asks from two replicas on",
    ],
  ],
};

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ask, findingsAbout, objectsIn, type Ask, type Case, type Suite } from "./suite.ts";

/** Kyverno's policies that ask what one of our rules asks. */
const ASKED: Readonly<Record<string, Ask>> = {
  "pod-security/baseline/disallow-host-namespaces": ask("kubernetes-host-namespaces"),
  "pod-security/baseline/disallow-host-path": ask("kubernetes-volume-types"),
  "pod-security/baseline/disallow-host-ports": ask("kubernetes-host-ports"),
  "pod-security/baseline/disallow-host-process": ask("kubernetes-host-process"),
  "pod-security/baseline/disallow-privileged-containers": ask("kubernetes-privileged"),
  "pod-security/baseline/disallow-proc-mount": ask("kubernetes-proc-mount"),
  "pod-security/baseline/disallow-selinux": ask("kubernetes-selinux"),
  "pod-security/baseline/restrict-apparmor-profiles": ask("kubernetes-apparmor"),
  "pod-security/baseline/restrict-sysctls": ask("kubernetes-sysctls"),
  "pod-security/restricted/disallow-capabilities-strict": ask("kubernetes-capabilities"),
  "pod-security/restricted/disallow-privilege-escalation": ask("kubernetes-privilege-escalation"),
  "pod-security/restricted/require-run-as-non-root-user": ask("kubernetes-run-as-user"),
  "pod-security/restricted/require-run-as-nonroot": ask("kubernetes-run-as-non-root"),
  "pod-security/restricted/restrict-seccomp-strict": ask("kubernetes-seccomp"),
  "pod-security/restricted/restrict-volume-types": ask("kubernetes-volume-types"),
  "best-practices/disallow-cri-sock-mount": ask("kubernetes-volume-types"),
  "best-practices/disallow-default-namespace": ask("kubernetes-default-namespace"),
  "best-practices/disallow-latest-tag": ask("image-tags"),
  "best-practices/require-drop-all": ask("kubernetes-capabilities", /keeps capabilities/),
  "best-practices/require-pod-requests-limits": ask("kubernetes-resources", /requests|memory limits/),
  "best-practices/require-probes": ask("workload-probes"),
  "best-practices/require-ro-rootfs": ask("kubernetes-read-only-root"),
  "best-practices/restrict-node-port": ask("network-public-services", /NodePort/),
  "other/require-image-checksum": ask("image-digests"),
  "other/restrict-automount-sa-token": ask("kubernetes-service-account-token"),
  "other/restrict-wildcard-resources": ask("kubernetes-rbac-wildcards", /^resources has/),
  "other/restrict-wildcard-verbs": ask("kubernetes-rbac-wildcards", /^verbs has/),
  "psa/deny-privileged-profile": ask("namespace-pod-security"),
};

interface Test {
  readonly resources?: readonly string[];
  readonly results?: readonly {
    readonly rule?: string;
    readonly kind?: string;
    readonly resource?: string;
    readonly resources?: readonly string[];
    readonly result?: string;
  }[];
}

/** Kyverno's own tests of its policies: which object each one refuses. */
export const kyverno: Suite = {
  repository: "kyverno/policies",
  reads: Object.keys(ASKED),
  *cases(folder): Generator<Case> {
    for (const [policy, asked] of Object.entries(ASKED)) {
      const tests = join(folder, policy, ".kyverno-test");
      const file = join(tests, "kyverno-test.yaml");
      if (!existsSync(file)) throw new Error(`${file} is not there`);
      const test = parse(readFileSync(file, "utf8")) as Test;
      const objects = (test.resources ?? []).flatMap((name) => objectsIn(readFileSync(join(tests, name), "utf8")));
      const results = (test.results ?? []).filter(({ result }) => result === "pass" || result === "fail");
      const verdicts = new Map<string, { refuse: boolean; rules: Set<string> }>();
      for (const { rule = "", kind = "", resource, resources, result } of results)
        for (const name of resources ?? (resource === undefined ? [] : [resource])) {
          const key = `${kind} ${name.split("/").at(-1) ?? ""}`;
          const verdict = verdicts.get(key) ?? { refuse: false, rules: new Set() };
          verdict.rules.add(rule);
          verdicts.set(key, { ...verdict, refuse: verdict.refuse || result === "fail" });
        }
      const whole = new Set(results.map(({ rule }) => rule)).size;
      for (const [key, { refuse, rules }] of verdicts) {
        const object = objects.find(({ type, name }) => key === `${type.slice(type.lastIndexOf(":") + 1)} ${name}`);
        // One of a policy's rules is enough to refuse; to pass one of several says nothing about the others.
        if (object === undefined || (!refuse && rules.size < whole)) continue;
        yield { id: `${policy}: ${key}`, refuse, findings: findingsAbout(objects, asked, object) };
      }
    }
  },
  disagreements: [
    [
      /disallow-cri-sock-mount: Pod goodpod01/,
      "Pod Security admits no hostPath at all, not only none of a runtime's socket",
    ],
    [
      /require-probes: Pod goodpod0[34]/,
      "one kind of probe is enough for Kyverno; a rollout needs readiness, a pod that hangs liveness",
    ],
  ],
};

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, findingsAbout, objectsIn, type Ask, type Case, type Suite } from "./suite.ts";

const OBJECTS = "tests/checks";
const EXPECTED = "e2etests/bats-tests.sh";

/** kube-linter's checks that ask what one of our rules asks. */
const ASKED: Readonly<Record<string, Ask>> = {
  "docker-sock": ask("kubernetes-volume-types"),
  "drop-net-raw-capability": ask("kubernetes-capabilities"),
  "host-ipc": ask("kubernetes-host-namespaces"),
  "host-network": ask("kubernetes-host-namespaces"),
  "host-pid": ask("kubernetes-host-namespaces"),
  "latest-tag": ask("image-tags"),
  "no-liveness-probe": ask("workload-probes", /livenessProbe/),
  "no-read-only-root-fs": ask("kubernetes-read-only-root"),
  "no-readiness-probe": ask("workload-probes", /readinessProbe/),
  "privilege-escalation-container": ask("kubernetes-privilege-escalation"),
  "privileged-container": ask("kubernetes-privileged"),
  "run-as-non-root": ask("kubernetes-run-as-non-root"),
  "sensitive-host-mounts": ask("kubernetes-volume-types"),
  "unsafe-proc-mount": ask("kubernetes-proc-mount"),
  "unsafe-sysctls": ask("kubernetes-sysctls"),
  "unset-cpu-requirements": ask("kubernetes-resources", /cpu/),
  "unset-memory-requirements": ask("kubernetes-resources", /memory/),
  "use-namespace": ask("kubernetes-default-namespace"),
  "wildcard-in-rules": ask("kubernetes-rbac-wildcards"),
  "writable-host-mount": ask("kubernetes-volume-types"),
};

/** kube-linter's end-to-end tests: objects called `dont-fire` must pass, and the test's messages name the kinds that do not. */
export const kubeLinter: Suite = {
  repository: "stackrox/kube-linter",
  reads: [OBJECTS, EXPECTED],
  *cases(folder): Generator<Case> {
    const tests = readFileSync(join(folder, EXPECTED), "utf8");
    for (const [check, asked] of Object.entries(ASKED)) {
      const test = new RegExp(`@test "${check}" \\{(.*?)\\n\\}`, "s").exec(tests)?.[1];
      if (test === undefined) throw new Error(`${EXPECTED} has no test ${check}`);
      const kinds = new Set([...test.matchAll(/== "(\w+): /g)].map((match) => match[1]));
      const objects = objectsIn(readFileSync(join(folder, OBJECTS, `${check}.yml`), "utf8"));
      for (const object of objects) {
        const kind = object.type.slice(object.type.lastIndexOf(":") + 1);
        const spared = object.name.startsWith("dont-fire");
        // What is neither spared by its name nor of a kind that the messages name is only there for the others.
        if (!spared && !kinds.has(kind)) continue;
        yield {
          id: `${check}: ${kind} ${object.name}`,
          refuse: !spared,
          findings: findingsAbout(objects, asked, object),
        };
      }
    }
  },
  disagreements: [
    [/^docker-sock: /, "Pod Security admits no hostPath at all, not only none of a runtime's socket"],
    [/^drop-net-raw-capability: /, "Pod Security's restricted profile asks for ALL, not for NET_RAW alone"],
    [/^wildcard-in-rules: Role role1/, "two Roles have this name, and only the second one has a wildcard"],
  ],
};

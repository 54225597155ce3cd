import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, findingsAbout, objectsIn, type Ask, type Case, type Suite } from "./suite.ts";

const EXAMPLES = "tests/kubernetes/checks";

/** Checkov's checks that ask what one of our rules asks, by the folder of their examples. */
const ASKED: Readonly<Record<string, Ask>> = {
  AllowPrivilegeEscalation: ask("kubernetes-privilege-escalation"),
  AllowedCapabilities: ask("kubernetes-capabilities", /adds/),
  AllowedCapabilitiesSysAdmin: ask("kubernetes-capabilities", /adds/),
  DefaultNamespace: ask("kubernetes-default-namespace"),
  DockerSocketVolume: ask("kubernetes-volume-types"),
  DropCapabilities: ask("kubernetes-capabilities"),
  HostPort: ask("kubernetes-host-ports"),
  ImageDigest: ask("image-digests"),
  ImageTagFixed: ask("image-tags"),
  LivenessReadiness: ask("workload-probes"),
  NoDefaultNamespace: ask("kubernetes-default-namespace"),
  PrivilegedContainers: ask("kubernetes-privileged"),
  ReadOnlyFilesystem: ask("kubernetes-read-only-root"),
  Requests_Limits: ask("kubernetes-resources"),
  RootContainers: ask("kubernetes-run-as-non-root"),
  RootContainersHighUID: ask("kubernetes-high-user-id"),
  Seccomp: ask("kubernetes-seccomp"),
  ServiceAccountTokens: ask("kubernetes-service-account-token"),
  ShareHost: ask("kubernetes-host-namespaces"),
  WildcardRoles: ask("kubernetes-rbac-wildcards"),
};

/** The examples that Checkov tests its Kubernetes checks with: a file's name says what is expected of it. */
export const checkov: Suite = {
  repository: "bridgecrewio/checkov",
  reads: [EXAMPLES],
  *cases(folder): Generator<Case> {
    for (const [check, asked] of Object.entries(ASKED))
      for (const file of readdirSync(join(folder, EXAMPLES, `example_${check}`)).sort()) {
        const [failed, passed] = [/fail/i.test(file), /pass/i.test(file)];
        // A file for both, for neither, or that is not meant to be readable says nothing.
        if (failed === passed || /unknown|malformed/i.test(file)) continue;
        const objects = objectsIn(readFileSync(join(folder, EXAMPLES, `example_${check}`, file), "utf8"));
        if (objects.length === 0) continue;
        yield { id: `${check}/${file}`, refuse: failed, findings: findingsAbout(objects, asked) };
      }
  },
  disagreements: [
    [
      /^DefaultNamespace\/default-k8s-service-and-sa/,
      "every cluster has this account and Service without a declaration",
    ],
    [/^DropCapabilities\/pod-drop-NET_RAW/, "Pod Security's restricted profile asks for ALL, not for NET_RAW alone"],
    [
      /^DropCapabilities\/pod-drop-all-capabilities-PASSED2/,
      "Pod Security compares with ALL, in capitals: the API server refuses it",
    ],
    [/^ImageDigest\//, "sha256:123456 is not a digest: a digest has 64 hexadecimal digits"],
    [
      /^RootContainers\/rootContainersPASSED/,
      "Pod Security's restricted profile asks for runAsNonRoot even where a user is set",
    ],
    [/^Seccomp\//, "the annotations that set a profile mean nothing since Kubernetes 1.27"],
  ],
};

import type { Rule } from "../../model/rule.ts";
import { admissionWebhooks } from "./admission-webhooks.ts";
import { allowPrivilegeEscalation } from "./allow-privilege-escalation.ts";
import { annotations } from "./annotations.ts";
import { appArmor } from "./app-armor.ts";
import { kubernetesCapabilities } from "./capabilities.ts";
import { cloudIdentities } from "./cloud-identities.ts";
import { defaultNamespace } from "./default-namespace.ts";
import { highUserId } from "./high-user-id.ts";
import { kubernetesHostNamespaces } from "./host-namespaces.ts";
import { hostPorts } from "./host-ports.ts";
import { hostProbes } from "./host-probes.ts";
import { hostProcess } from "./host-process.ts";
import { kubernetesPrivileged } from "./privileged.ts";
import { podFields } from "./pod-fields.ts";
import { procMount } from "./proc-mount.ts";
import { persistentVolumes } from "./persistent-volumes.ts";
import { rbacBindings } from "./rbac-bindings.ts";
import { rbacPowers } from "./rbac-powers.ts";
import { rbacWildcards } from "./rbac-wildcards.ts";
import { kubernetesReadOnlyRoot } from "./read-only-root.ts";
import { resources } from "./resources.ts";
import { runAsNonRoot } from "./run-as-non-root.ts";
import { runAsUser } from "./run-as-user.ts";
import { seLinux } from "./se-linux.ts";
import { seccomp } from "./seccomp.ts";
import { serviceAccountToken } from "./service-account-token.ts";
import { sysctls } from "./sysctls.ts";
import { systemNamespaces } from "./system-namespaces.ts";
import { volumeTypes } from "./volume-types.ts";

/** Rules about pods and Kubernetes objects: first the Pod Security Standards, profile restricted, then what goes beyond them. In the order of reports. */
export const KUBERNETES_RULES: readonly Rule[] = [
  hostProcess,
  kubernetesHostNamespaces,
  kubernetesPrivileged,
  kubernetesCapabilities,
  podFields,
  annotations,
  volumeTypes,
  hostPorts,
  hostProbes,
  appArmor,
  seLinux,
  procMount,
  seccomp,
  sysctls,
  allowPrivilegeEscalation,
  runAsNonRoot,
  runAsUser,
  kubernetesReadOnlyRoot,
  resources,
  serviceAccountToken,
  cloudIdentities,
  rbacWildcards,
  rbacPowers,
  rbacBindings,
  admissionWebhooks,
  persistentVolumes,
  highUserId,
  systemNamespaces,
  defaultNamespace,
];

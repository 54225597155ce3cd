import { judgeAnswers } from "../../model/answer.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { bearsPods, kindOf, noPods, podsOf } from "../../reading/kubernetes/pods.ts";
import { matching, oneOf, understood, type Options } from "../../reading/options.ts";
import { isUnderstoodObject } from "../../reading/understood-kinds.ts";

/** Fields that may have every value. */
function anyOf(...names: readonly string[]): Readonly<Record<string, Options>> {
  return Object.fromEntries(names.map((name) => [name, "any"]));
}

/** Parts that containers and pods have in common; rules of the Pod Security Standards judge their values. */
const SECURITY = {
  ...anyOf("runAsUser", "runAsGroup", "runAsNonRoot", "seLinuxOptions", "windowsOptions"),
  seccompProfile: anyOf("type", "localhostProfile"),
  appArmorProfile: anyOf("type", "localhostProfile"),
};

const RESOURCES = anyOf("requests", "limits");

const HANDLER = anyOf("exec", "httpGet", "tcpSocket", "sleep", "grpc");

const PROBE: Options = {
  ...HANDLER,
  ...anyOf("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold"),
  terminationGracePeriodSeconds: "any",
};

const CONTAINER: Options = {
  ...anyOf("name", "image", "imagePullPolicy", "command", "args", "workingDir", "restartPolicy"),
  ...anyOf("stdin", "stdinOnce", "tty", "terminationMessagePath", "terminationMessagePolicy"),
  ports: anyOf("name", "containerPort", "protocol", "hostPort", "hostIP"),
  env: {
    ...anyOf("name", "value"),
    valueFrom: anyOf("configMapKeyRef", "fieldRef", "fileKeyRef", "resourceFieldRef", "secretKeyRef"),
  },
  envFrom: anyOf("prefix", "configMapRef", "secretRef"),
  resources: RESOURCES,
  resizePolicy: "any",
  volumeMounts: {
    ...anyOf("name", "mountPath", "subPath", "subPathExpr", "readOnly", "recursiveReadOnly"),
    // With another propagation, a mount reaches the node, or comes from it.
    mountPropagation: oneOf("None"),
  },
  livenessProbe: PROBE,
  readinessProbe: PROBE,
  startupProbe: PROBE,
  lifecycle: { postStart: HANDLER, preStop: HANDLER, stopSignal: "any" },
  securityContext: {
    ...SECURITY,
    ...anyOf("privileged", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "procMount"),
    capabilities: anyOf("add", "drop"),
  },
  targetContainerName: "any", // Of an ephemeral container, which sees the processes of another one of its pod.
};

/** Drivers whose inline volumes have nothing of the node: secrets of a store, certificates, identities. */
const INLINE_DRIVERS = /^(?:secrets-store\.csi\.k8s\.io|(?:spiffe\.)?csi\.cert-manager\.io|csi\.spiffe\.io)$/;

/** What the rules understand of a pod: a field either has no effect on isolation, or a rule judges its value. */
const POD: Options = {
  containers: CONTAINER,
  initContainers: CONTAINER,
  ephemeralContainers: CONTAINER,
  ...anyOf("hostNetwork", "hostPID", "hostIPC", "hostUsers", "os"),
  volumes: {
    "*": "any", // Types of volumes are for another rule.
    csi: { "*": "any", driver: matching(INLINE_DRIVERS) },
    projected: {
      defaultMode: "any",
      sources: anyOf("clusterTrustBundle", "configMap", "downwardAPI", "secret", "serviceAccountToken"),
    },
  },
  ...anyOf("serviceAccountName", "serviceAccount", "automountServiceAccountToken", "imagePullSecrets"),
  ...anyOf("restartPolicy", "terminationGracePeriodSeconds", "activeDeadlineSeconds", "readinessGates"),
  ...anyOf("hostname", "subdomain", "setHostnameAsFQDN", "enableServiceLinks", "preemptionPolicy"),
  ...anyOf("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "schedulingGates"),
  resources: RESOURCES,
  securityContext: {
    ...SECURITY,
    ...anyOf("fsGroup", "fsGroupChangePolicy", "supplementalGroups", "supplementalGroupsPolicy"),
    ...anyOf("seLinuxChangePolicy", "sysctls"),
  },
  // Only names of the cluster: its answers cannot be replaced.
  dnsPolicy: oneOf("ClusterFirst", "Default"),
  dnsConfig: anyOf("options", "searches"),
  schedulerName: oneOf("default-scheduler"),
  // Runtimes that isolate more than the default one.
  runtimeClassName: matching(/^(?:gvisor|runsc|kata(?:-[a-z-]+)?)$/),
  // The classes of the system take the place of the cluster's own pods.
  priorityClassName: matching(/^(?!system-)/),
  priority: matching(/^-?\d{1,9}$/),
};

/** Annotations that attach networks and devices of nodes, past NetworkPolicies and Pod Security. */
const ATTACHING =
  /^(?:k8s\.v1\.cni\.cncf\.io\/|v1\.multus-cni\.io\/|cni\.projectcalico\.org\/|io\.kubernetes\.cri-o\.|cdi\.k8s\.io\/)/;

/** A closed world of fields. */
export const podFields: ResourceRule = {
  name: "kubernetes-pod-fields",
  title: "The rules understand every field of pods and their containers",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "A field that the rules do not understand is a finding, so that a new field of Kubernetes cannot weaken a pod unnoticed, and a wrong name does not pass as a right one. Not understood are, among others, `shareProcessNamespace`, `hostAliases`, `nodeName`, `overhead`, `resourceClaims`, `volumeDevices`, name servers of `dnsConfig`, another `mountPropagation` than `None`, inline volumes of CSI drivers that may give a part of the node, projected credentials of a signer, other schedulers, the priority classes of the system, and other runtime classes than those of gVisor and Kata Containers. A field whose value is false, 0 or empty is not set. Annotations may not attach networks or devices of the node (Multus, Calico, CRI-O, CDI). Of custom kinds, only pod templates are tested; other parts that look like a pod may have other fields.",
  references: [
    { standard: "NSA/CISA Kubernetes Hardening", item: "Pod security" },
    { standard: "Requirement", item: "a closed world of resources" },
  ],
  notApplicable: noPods,
  concerns: bearsPods,
  *check(subject) {
    const { resource } = subject;
    const usual = isUnderstoodObject(resource) && kindOf(resource) !== "EnvoyProxy";
    for (const pod of podsOf(subject)) {
      if (!usual && !/(?:^|\.)template\.spec$/.test(pod.spec.path)) continue;
      yield judge(subject, pod.spec, pod.spec.isPresent, "the pod has no spec", "give it one");
      yield* judgeAnswers(subject, understood(pod.spec, POD));
      for (const [key, reader] of pod.metadata.at("annotations").entries())
        yield judge(
          subject,
          reader,
          key === "*" ? reader.isAbsent : !ATTACHING.test(key),
          "the annotation attaches networks or devices of the node",
          "remove the annotation",
        );
    }
  },
};

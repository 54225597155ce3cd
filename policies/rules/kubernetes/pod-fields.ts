import { judgeAnswers, type Answer } from "../../model/answer.ts";
import type { Reader } from "../../model/reader.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { all, any, not } from "../../model/truth.ts";
import { bearsPods, kindOf, noPods, podsOf, type Pod } from "../../reading/kubernetes/pods.ts";
import { matching, oneOf, understood, type Options } from "../../reading/options.ts";
import { isUnderstoodObject } from "../../reading/understood-kinds.ts";

// cspell:ignore controlplane dragonball gaudi habana hugepages mshv stratovirt

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

/** Runtimes that isolate more than the default one: gVisor, and Kata Containers by the names of its installer. */
const RUNTIMES =
  /^(?:gvisor|runsc|kata(?:-(?:qemu|clh|fc|dragonball|stratovirt|remote|cloud-hypervisor|firecracker|vm-isolation|cc|mshv-vm-isolation|(?:qemu-)?(?:sev|snp|tdx|se|coco-dev|nvidia-gpu(?:-snp|-tdx)?)|qemu-runtime-rs))?)$/;

/** What a node has for every pod, and accelerators. A plugin may give any device of the node under another name. */
const QUANTITIES =
  /^(?:cpu|memory|ephemeral-storage|hugepages-\w+|(?:nvidia\.com|amd\.com)\/[\w.-]*(?:gpu|mig)[\w.-]*|google\.com\/tpu|gpu\.intel\.com\/[\w.-]+|habana\.ai\/gaudi|aws\.amazon\.com\/neuron\w*)$/;

/** Nodes of the control plane. */
const CONTROL_PLANE = /^node-role\.kubernetes\.io\/(?:control-plane|master|etcd|controlplane)$/;

/** Most characters that a controller adds to its name for a pod, and that a host name of Linux has. */
const [POD_SUFFIX, HOST_NAME] = [18, 64];

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
  dnsConfig: { options: "any", searches: matching(/(?:^|\.)(?:svc\.)?cluster\.local\.?$/) },
  schedulerName: oneOf("default-scheduler"),
  runtimeClassName: matching(RUNTIMES),
  // The classes of the system take the place of the cluster's own pods.
  priorityClassName: matching(/^(?!system-)/),
  priority: matching(/^-?\d{1,9}$/),
};

/** A closed world of fields. */
export const podFields: ResourceRule = {
  name: "kubernetes-pod-fields",
  title: "The rules understand every field of pods and their containers",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "A field that the rules do not understand is a finding, so that a new field of Kubernetes cannot weaken a pod unnoticed, and a wrong name does not pass as a right one. Not understood are, among others, `shareProcessNamespace`, `hostAliases`, `nodeName`, `overhead`, `resourceClaims`, `volumeDevices`, name servers of `dnsConfig`, another `mountPropagation` than `None`, inline volumes of CSI drivers that may give a part of the node, projected credentials of a signer, other schedulers, the priority classes of the system, and other runtime classes than `gvisor`, `runsc` and those that the installer of Kata Containers makes. A field whose value is false, 0 or empty is not set. Of resources, only those that a node has for every pod and accelerators are understood, since a device plugin may give any device. Search domains belong to the cluster, nodes of the control plane are not for pods, and a `setHostnameAsFQDN` needs names that Linux accepts as a host name. Annotations have separate rules. Of custom kinds, only pod templates are tested; other parts that look like a pod may have other fields.",
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
      yield* judgeAnswers(subject, quantities(pod));
      yield* judgeAnswers(subject, nodes(pod, kindOf(resource) === "DaemonSet"));
      yield* judgeAnswers(subject, hostName(subject.inputs.at("metadata", "name"), pod));
    }
  },
};

function* quantities({ spec, containers }: Pod): Generator<Answer> {
  for (const reader of [spec, ...containers.map((container) => container.reader)])
    for (const list of ["requests", "limits"])
      for (const [name, value] of reader.at("resources", list).entries())
        yield {
          at: value,
          holds: name === "*" ? value.isAbsent : QUANTITIES.test(name),
          message: `the rules do not know which device of the node ${name} is`,
          fix: `remove ${name}`,
        };
}

/** The nodes of the control plane run what controls all others. */
function* nodes({ spec }: Pod, everywhere: boolean): Generator<Answer> {
  const fix = "run the pod on other nodes";
  for (const [label, value] of spec.at("nodeSelector").entries())
    yield {
      at: value,
      holds: !CONTROL_PLANE.test(label),
      message: "the pod runs on nodes of the control plane",
      fix,
    };
  for (const toleration of spec.at("tolerations").each()) {
    const key = toleration.at("key");
    yield {
      at: toleration,
      holds: all(
        not(key.matches(CONTROL_PLANE)),
        // What runs on every node, such as a collector of logs, tolerates every taint.
        any(everywhere, key.isPresent, toleration.at("effect").is("PreferNoSchedule", "NoExecute")),
      ),
      message: "the pod may run on nodes of the control plane",
      fix,
    };
  }
}

/** Linux refuses a host name of more than 64 characters: the pod then never starts. */
function* hostName(owner: Reader, { spec }: Pod): Generator<Answer> {
  const full = spec.at("setHostnameAsFQDN");
  if (full.isAbsentOr(false) === true) return;
  const [host, domain] = [spec.at("hostname"), spec.at("subdomain")];
  const length = host.text === undefined ? (owner.text?.length ?? HOST_NAME) + POD_SUFFIX : host.text.length;
  const rest = `..${"x".repeat(20)}.svc.cluster.local`.length;
  yield {
    at: full,
    holds: domain.test((value) => typeof value === "string" && length + value.length + rest <= HOST_NAME),
    message: "the full name of the pod may be longer than the 64 characters of a host name, or there is none",
    fix: "set a short hostname and subdomain, or remove setHostnameAsFQDN",
  };
}

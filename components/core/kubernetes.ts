import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { Slot } from "../../contract/slots.ts";
import { LABELS } from "../../contract/labels.ts";

/** What every object of one cluster stack shares. */
export interface KubernetesPlatform {
  /** Name of the instance; also the name of its namespace. */
  readonly instance: string;
  /** `staging` or `prod`. */
  readonly stack: string;
  /** Namespace of all objects, as an output of what made it, so that it exists first. */
  readonly namespace: pulumi.Input<string>;
}

/** Which part of the stack an object belongs to. */
export interface Part {
  /** Role, e.g. `server`, `prometheus`, `backup`: the value of the label {@link LABELS.component}. */
  readonly component: string;
  /** Slot, for what belongs to one slot of the server. */
  readonly slot?: Slot;
}

/** Labels by which a Service, a policy or a Deployment finds the pods of a part. They never change once deployed. */
export function selectorLabels(platform: Pick<KubernetesPlatform, "instance">, part: Part): Record<string, string> {
  return {
    [LABELS.instance]: platform.instance,
    [LABELS.component]: part.component,
    ...(part.slot === undefined ? {} : { [LABELS.slot]: part.slot }),
  };
}

/** All labels of a part's objects. */
export function partLabels(
  platform: Pick<KubernetesPlatform, "instance" | "stack">,
  part: Part,
): Record<string, string> {
  return {
    ...selectorLabels(platform, part),
    [LABELS.stack]: platform.stack,
    "app.kubernetes.io/part-of": "exai",
    "app.kubernetes.io/name": part.component,
    "app.kubernetes.io/instance": platform.instance,
  };
}

/** Metadata of an object in the stack's namespace, by a fixed name: other objects and operations refer to it. */
export function metadata(
  platform: KubernetesPlatform,
  part: Part,
  name: string,
): { name: string; namespace: pulumi.Input<string>; labels: Record<string, string> } {
  return { name, namespace: platform.namespace, labels: partLabels(platform, part) };
}

/** A service account for pods that never call the Kubernetes API: no token is mounted. */
export function tokenlessAccount(
  resourceName: string,
  name: string,
  platform: KubernetesPlatform,
  part: Part,
  opts: pulumi.CustomResourceOptions,
): k8s.core.v1.ServiceAccount {
  return new k8s.core.v1.ServiceAccount(
    resourceName,
    { metadata: metadata(platform, part, name), automountServiceAccountToken: false },
    opts,
  );
}

type Rules = k8s.types.input.networking.v1.NetworkPolicyIngressRule[];
type EgressRules = k8s.types.input.networking.v1.NetworkPolicyEgressRule[];

/**
 * Allows traffic that the namespace's default deny blocks, for the pods of one part. Both directions are listed, so that a
 * policy without a direction cannot open it by accident.
 */
export function opening(
  resourceName: string,
  name: string,
  platform: KubernetesPlatform,
  part: Part,
  rules: { readonly ingress?: Rules; readonly egress?: EgressRules },
  opts: pulumi.CustomResourceOptions,
): k8s.networking.v1.NetworkPolicy {
  return new k8s.networking.v1.NetworkPolicy(
    resourceName,
    {
      metadata: metadata(platform, part, name),
      spec: {
        podSelector: { matchLabels: selectorLabels(platform, part) },
        policyTypes: ["Ingress", "Egress"],
        ingress: rules.ingress ?? [],
        egress: rules.egress ?? [],
      },
    },
    opts,
  );
}

/** Peer: the pods of a part in the same namespace. */
export function peer(
  platform: Pick<KubernetesPlatform, "instance">,
  part: Part,
): k8s.types.input.networking.v1.NetworkPolicyPeer {
  return { podSelector: { matchLabels: selectorLabels(platform, part) } };
}

/** TCP ports of a rule. */
export function tcp(...ports: number[]): k8s.types.input.networking.v1.NetworkPolicyPort[] {
  return ports.map((port) => ({ protocol: "TCP", port }));
}

/** Address ranges that are not the internet: private, shared, link-local (cloud metadata) and loopback. */
const NOT_INTERNET_V4 = [
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.168.0.0/16",
];
const NOT_INTERNET_V6 = ["::1/128", "fc00::/7", "fe80::/10"];

/** Peers: the internet without private networks and without the clouds' metadata addresses. */
export function internet(): k8s.types.input.networking.v1.NetworkPolicyPeer[] {
  return [
    { ipBlock: { cidr: "0.0.0.0/0", except: NOT_INTERNET_V4 } },
    { ipBlock: { cidr: "::/0", except: NOT_INTERNET_V6 } },
  ];
}

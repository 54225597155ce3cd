import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { ExaiComponent } from "../core/component.ts";
import { metadata, partLabels, type KubernetesPlatform } from "../core/kubernetes.ts";
import { transformed, type Transform } from "../core/transform.ts";

export interface KubernetesNamespaceArgs {
  /** Name of the instance and of its namespace. */
  readonly instance: string;
  readonly stack: string;
  /** Escape hatches. */
  readonly transform?: {
    readonly namespace?: Transform<k8s.core.v1.NamespaceArgs>;
  };
}

const PART = { component: "platform" } as const;

/**
 * The namespace of a Kubernetes stack, with Pod Security "restricted". Network policies deny all traffic that no
 * other component allows, except DNS.
 */
export class KubernetesNamespace extends ExaiComponent implements KubernetesPlatform {
  readonly instance: string;
  readonly stack: string;
  readonly namespace: pulumi.Output<string>;

  constructor(name: string, args: KubernetesNamespaceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("exai:platform:KubernetesNamespace", name, { instance: args.instance, stack: args.stack }, opts);
    this.instance = args.instance;
    this.stack = args.stack;
    const namespace = new k8s.core.v1.Namespace(
      ...transformed(args.transform?.namespace, `${name}-namespace`, namespaceArgs(args), { parent: this }),
    );
    this.namespace = namespace.metadata.name;

    new k8s.networking.v1.NetworkPolicy(`${name}-default-deny`, defaultDeny(this), { parent: this });
    new k8s.networking.v1.NetworkPolicy(`${name}-allow-dns`, allowDns(this), { parent: this });
    this.registerOutputs({});
  }
}

function namespaceArgs(args: KubernetesNamespaceArgs): k8s.core.v1.NamespaceArgs {
  const level = "restricted";
  return {
    metadata: {
      name: args.instance,
      labels: {
        ...partLabels(args, PART),
        ...Object.fromEntries(
          ["enforce", "audit", "warn"].flatMap((mode) => [
            [`pod-security.kubernetes.io/${mode}`, level],
            [`pod-security.kubernetes.io/${mode}-version`, "latest"],
          ]),
        ),
      },
    },
  };
}

function defaultDeny(platform: KubernetesPlatform): k8s.networking.v1.NetworkPolicyArgs {
  return {
    metadata: metadata(platform, PART, "default-deny"),
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
  };
}

function allowDns(platform: KubernetesPlatform): k8s.networking.v1.NetworkPolicyArgs {
  return {
    metadata: metadata(platform, PART, "allow-dns"),
    spec: {
      podSelector: {},
      policyTypes: ["Egress"],
      egress: [
        {
          to: [
            { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } } },
            // NodeLocal DNSCache listens on the node, at the address that its documentation gives.
            { ipBlock: { cidr: "169.254.20.10/32" } },
          ],
          ports: [
            { protocol: "UDP", port: 53 },
            { protocol: "TCP", port: 53 },
          ],
        },
      ],
    },
  };
}

import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import {
  metadata,
  opening,
  selectorLabels,
  tokenlessAccount,
  type KubernetesPlatform,
  type Part,
} from "../core/kubernetes.ts";
import { podTemplate, type PodSpec } from "../core/pod.ts";
import { transformed, type Transform } from "../core/transform.ts";
import { MountedSecret } from "../secrets/kubernetes.ts";
import { baseName } from "./grafana.ts";
import type { Storage } from "./kubernetes-pods.ts";

/** The objects of each part of the monitoring on a cluster: account, files, network openings, Service and workload. */
export class MonitoringWorkloads {
  readonly #name: string;
  readonly #platform: KubernetesPlatform;
  readonly #parent: pulumi.Resource;

  /** @param name prefix of the resources' names */
  constructor(name: string, platform: KubernetesPlatform, parent: pulumi.Resource) {
    this.#name = name;
    this.#platform = platform;
    this.#parent = parent;
  }

  /** An account without a token; its name. */
  account(part: Part): pulumi.Output<string> {
    const { component } = part;
    return tokenlessAccount(`${this.#name}-${component}-account`, component, this.#platform, part, {
      parent: this.#parent,
    }).metadata.name;
  }

  /** A ConfigMap of files; its name. */
  config(part: Part, files: Readonly<Record<string, string>>): pulumi.Output<string> {
    return new k8s.core.v1.ConfigMap(
      `${this.#name}-${part.component}-config`,
      { metadata: metadata(this.#platform, part, part.component), data: { ...files } },
      { parent: this.#parent },
    ).metadata.name;
  }

  /** A Secret whose entries are named after the files. */
  secret(part: Part, files: Readonly<Record<string, pulumi.Input<string>>>): MountedSecret {
    return new MountedSecret(
      `${this.#name}-${part.component}-secrets`,
      {
        platform: this.#platform,
        part,
        name: part.component,
        files: Object.fromEntries(Object.entries(files).map(([path, content]) => [baseName(path), content])),
      },
      { parent: this.#parent },
    );
  }

  /** The connections that the part may have. */
  open(part: Part, rules: Parameters<typeof opening>[4]): void {
    opening(`${this.#name}-${part.component}-network`, part.component, this.#platform, part, rules, {
      parent: this.#parent,
    });
  }

  #service(part: Part, port: number): k8s.core.v1.Service {
    return new k8s.core.v1.Service(
      `${this.#name}-${part.component}-service`,
      {
        metadata: metadata(this.#platform, part, part.component),
        spec: {
          type: "ClusterIP",
          selector: selectorLabels(this.#platform, part),
          ports: [{ name: "http", port, targetPort: "http", protocol: "TCP" }],
        },
      },
      { parent: this.#parent },
    );
  }

  /** One replica with a disk that outlives it. */
  stateful(
    part: Part,
    port: number,
    pod: PodSpec,
    storage: Storage,
    hatch: Transform<k8s.apps.v1.StatefulSetArgs> | undefined,
  ): void {
    const platform = this.#platform;
    new k8s.apps.v1.StatefulSet(
      ...transformed(
        hatch,
        `${this.#name}-${part.component}`,
        {
          metadata: metadata(platform, part, part.component),
          spec: {
            replicas: 1,
            serviceName: this.#service(part, port).metadata.name,
            selector: { matchLabels: selectorLabels(platform, part) },
            template: podTemplate(pod, platform),
            ...(storage.kind === "ephemeral" ? {} : { volumeClaimTemplates: [claimTemplate(platform, part, storage)] }),
            // The data outlives the StatefulSet.
            persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
          },
        },
        { parent: this.#parent },
      ),
    );
  }

  /** One replica without a disk; a new one is ready before the old one ends. */
  stateless(part: Part, port: number, pod: PodSpec, hatch: Transform<k8s.apps.v1.DeploymentArgs> | undefined): void {
    const platform = this.#platform;
    this.#service(part, port);
    new k8s.apps.v1.Deployment(
      ...transformed(
        hatch,
        `${this.#name}-${part.component}`,
        {
          metadata: metadata(platform, part, part.component),
          spec: {
            replicas: 1,
            revisionHistoryLimit: 3,
            strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
            selector: { matchLabels: selectorLabels(platform, part) },
            template: podTemplate(pod, platform),
          },
        },
        { parent: this.#parent },
      ),
    );
  }
}

function claimTemplate(
  platform: KubernetesPlatform,
  part: Part,
  storage: Storage,
): k8s.types.input.core.v1.PersistentVolumeClaim {
  return {
    metadata: { name: "data", labels: selectorLabels(platform, part) },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: `${storage.gigabytes}Gi` } },
      ...(storage.storageClass === undefined ? {} : { storageClassName: storage.storageClass }),
    },
  };
}

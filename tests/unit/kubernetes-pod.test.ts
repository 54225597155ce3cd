import { describe, expect, it } from "vitest";
import { podTemplate, type PodSpec } from "../../components/core/pod.ts";

const platform = { instance: "exai-test", stack: "staging", namespace: "exai-test" };
const resources = { cpuRequest: "100m", cpuLimit: "1", memoryRequest: "64Mi", memoryLimit: "128Mi" };
const container = { name: "main", image: "example.com/main@sha256:0", resources };

interface Rendered {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: {
    automountServiceAccountToken: boolean;
    securityContext: object;
    terminationGracePeriodSeconds: number;
    topologySpreadConstraints?: { topologyKey: string; whenUnsatisfiable: string; labelSelector: object }[];
    initContainers?: { securityContext: object; resources: object }[];
    containers: {
      securityContext: object;
      resources: { limits: object; requests: object };
      env: { name: string; value: string }[];
      volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
      lifecycle?: object;
    }[];
    volumes: object[];
  };
}

function rendered(more: Partial<PodSpec> = {}): Rendered {
  return podTemplate(
    { component: "web", uid: 10_001, serviceAccount: "web", containers: [container], ...more },
    platform,
  ) as unknown as Rendered;
}

describe("a pod template", () => {
  it("meets the restricted Pod Security Standard, init containers too", () => {
    const { spec } = rendered({ initContainers: [{ ...container, name: "first" }] });
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    for (const each of [...spec.containers, ...(spec.initContainers ?? [])])
      expect(each.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        privileged: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ["ALL"] },
      });
  });

  it("has requests and limits of CPU, memory and disk", () => {
    const [{ resources: given } = { resources: {} }] = rendered().spec.containers;
    expect(given).toEqual({
      requests: { cpu: "100m", memory: "64Mi", "ephemeral-storage": "32Mi" },
      limits: { cpu: "1", memory: "128Mi", "ephemeral-storage": "256Mi" },
    });
  });

  it("mounts no token unless the pod speaks to the API", () => {
    expect(rendered().spec.automountServiceAccountToken).toBe(false);
    expect(rendered({ apiToken: true }).spec.automountServiceAccountToken).toBe(true);
  });

  it("mounts volumes read-only by default, and scratch directories writable and bounded", () => {
    const { spec } = rendered({
      scratch: { "/tmp": "64Mi", "/var/cache": "1Gi" },
      containers: [
        {
          ...container,
          mounts: [
            { volume: "a", path: "/a" },
            { volume: "b", path: "/b", readOnly: false },
          ],
        },
      ],
    });
    expect(spec.containers[0]?.volumeMounts).toEqual([
      { name: "a", mountPath: "/a", readOnly: true },
      { name: "b", mountPath: "/b", readOnly: false },
      { name: "scratch-tmp", mountPath: "/tmp" },
      { name: "scratch-var-cache", mountPath: "/var/cache" },
    ]);
    expect(spec.volumes).toEqual([
      { name: "scratch-tmp", emptyDir: { sizeLimit: "64Mi" } },
      { name: "scratch-var-cache", emptyDir: { sizeLimit: "1Gi" } },
    ]);
  });

  it("spreads over zones and nodes by its own labels, without ever blocking", () => {
    const { spec, metadata } = rendered({ spread: true, slot: "blue" });
    expect(spec.topologySpreadConstraints?.map(({ topologyKey }) => topologyKey)).toEqual([
      "topology.kubernetes.io/zone",
      "kubernetes.io/hostname",
    ]);
    for (const constraint of spec.topologySpreadConstraints ?? []) {
      expect(constraint.whenUnsatisfiable).toBe("ScheduleAnyway");
      const { matchLabels } = constraint.labelSelector as { matchLabels: Record<string, string> };
      expect(metadata.labels).toMatchObject(matchLabels);
      expect(matchLabels["exai.slot"]).toBe("blue");
    }
  });

  it("sorts its environment, so that the order of the source changes no pod", () => {
    const [first] = rendered({ containers: [{ ...container, environment: { B: "2", A: "1" } }] }).spec.containers;
    expect(first?.env.map(({ name }) => name)).toEqual(["A", "B"]);
  });

  it("sleeps before SIGTERM without a shell", () => {
    const [first] = rendered({ containers: [{ ...container, preStopSeconds: 5 }] }).spec.containers;
    expect(first?.lifecycle).toEqual({ preStop: { sleep: { seconds: 5 } } });
  });
});

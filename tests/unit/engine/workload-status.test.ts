import { expect, test } from "vitest";
import { workloadStatus } from "../../../platforms/kubernetes/status.ts";

const status = (name: string, replicas: number, ready: number, observed = 3) =>
  workloadStatus({
    metadata: { name, resourceVersion: "1", generation: 3 },
    spec: {
      replicas,
      selector: {},
      template: { spec: { containers: [{ name: "server", image: "a@sha256:1" }] } },
    },
    status: { readyReplicas: ready, observedGeneration: observed },
  }).state;

test("a service on a cluster is healthy when all its replicas are ready and its newest template is known", () => {
  expect(status("server-blue", 2, 2)).toBe("healthy");
  expect(status("server-blue", 2, 1)).toBe("1 of 2 ready");
  expect(status("server-blue", 2, 2, 2)).toBe("2 of 2 ready");
});

test("a slot without replicas is drained, another service without replicas is not healthy", () => {
  expect(status("server-green", 0, 0)).toBe("drained");
  expect(status("prometheus", 0, 0)).toBe("0 of 0 ready");
});

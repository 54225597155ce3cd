import { judgeAnswers } from "../../model/answer.ts";
import type { ResourceRule } from "../../model/rule.ts";
import { isObject } from "../../reading/kubernetes/objects.ts";
import { matching, oneOf, understood, type Options } from "../../reading/options.ts";
import { kindOf, onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";

const TARGETS: Options = { group: "any", kind: "any", name: "any", sectionName: "any" };
const RESOURCES: Options = { limits: "any", requests: "any" };

const PROBE: Options = { periodSeconds: "any", timeoutSeconds: "any", failureThreshold: "any" };
/** Of the controller's own container: what a patch may set. */
const PATCHED: Options = { name: oneOf("envoy"), readinessProbe: PROBE, livenessProbe: PROBE, resources: RESOURCES };

/** What the rules understand of the spec of each kind of Envoy Gateway. */
const UNDERSTOOD: Readonly<Record<string, Options>> = {
  EnvoyProxy: {
    mergeBackends: "any",
    provider: {
      type: oneOf("Kubernetes"),
      kubernetes: {
        envoyDeployment: {
          replicas: "any",
          patch: { type: oneOf("StrategicMerge"), value: { spec: { template: { spec: { containers: PATCHED } } } } },
          container: { image: "any", resources: RESOURCES },
          pod: { topologySpreadConstraints: "any", affinity: "any", nodeSelector: "any", labels: "any" },
        },
        envoyPDB: { minAvailable: "any", maxUnavailable: "any" },
        envoyHpa: { minReplicas: "any", maxReplicas: "any", metrics: "any", behavior: "any" },
        envoyService: { type: oneOf("LoadBalancer", "ClusterIP"), externalTrafficPolicy: "any" },
      },
    },
    shutdown: "any",
    concurrency: "any",
  },
  ClientTrafficPolicy: {
    targetRefs: TARGETS,
    timeout: "any",
    path: {
      escapedSlashesAction: oneOf("RejectRequest", "UnescapeAndRedirect"),
      disableMergeSlashes: "any",
    },
    headers: {
      earlyRequestHeaders: { remove: "any" },
      lateResponseHeaders: "any",
    },
    connection: "any",
    http2: "any",
    tls: { minVersion: matching(/^1\.[23]$/) },
  },
  BackendTrafficPolicy: {
    targetRefs: TARGETS,
    circuitBreaker: "any",
    retry: "any",
    timeout: "any",
    telemetry: { metrics: "any" },
    loadBalancer: "any",
    healthCheck: "any",
    http2: "any",
  },
  EnvoyExtensionPolicy: { targetRefs: TARGETS, lua: { type: oneOf("Inline"), inline: "any" } },
  SecurityPolicy: {
    targetRefs: TARGETS,
    jwt: {
      optional: "any",
      providers: {
        name: "any",
        issuer: "any",
        audiences: "any",
        localJWKS: { type: oneOf("Inline"), inline: "any" },
        extractFrom: "any",
        claimToHeaders: "any",
        recomputeRoute: "any",
      },
    },
  },
  HTTPRouteFilter: {
    directResponse: { statusCode: "any", contentType: "any", body: { type: oneOf("Inline"), inline: "any" } },
  },
};

/** A closed world of the options of the gateway. */
export const gatewayOptions: ResourceRule = {
  name: "network-gateway-options",
  title: "The rules understand every option of the gateway's proxies and policies",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "The resources of Envoy Gateway can change the image, the privileges and the volumes of the proxies, patch their pods, load programs and send requests or logs to other servers. An option that the rules do not understand is a finding. Understood are replicas, resources, spread and the Service of the proxies, limits, timeouts, retries, response headers, inline Lua, inline keys for tokens, and direct responses.",
  references: [
    { standard: "Envoy Gateway", item: "Security model: EnvoyProxy and policies" },
    { standard: "Requirement", item: "a closed world of resources" },
  ],
  notApplicable: onlyOnKubernetes,
  concerns: isObject(...Object.keys(UNDERSTOOD)),
  *check(subject) {
    const spec = subject.inputs.at("spec");
    yield* judgeAnswers(subject, { at: spec, holds: true, message: "", fix: "" });
    yield* judgeAnswers(subject, understood(spec, UNDERSTOOD[kindOf(subject.resource) ?? ""] ?? {}));
  },
};

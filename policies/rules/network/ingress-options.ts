import { judgeAnswers } from "../../model/answer.ts";
import type { ResourceRule } from "../../model/rule.ts";
import { isObject } from "../../reading/kubernetes/objects.ts";

/** Annotations that say which controller takes the object, or that only limit it: sizes, times, rates, certificates. */
const UNDERSTOOD =
  /^(?:kubernetes\.io\/(?:ingress\.class|tls-acme)|cert-manager\.io\/[\w.-]+|acme\.cert-manager\.io\/[\w.-]+|external-dns\.alpha\.kubernetes\.io\/(?:hostname|ttl)|(?:[\w-]+\.)?(?:pulumi\.com|argoproj\.io|helm\.sh)\/[\w.-]+|(?:[\w-]+\.)*ingress\.kubernetes\.io\/(?:(?:force-)?ssl-redirect|hsts[\w-]*|proxy-(?:body-size|buffer[\w-]*|buffering|request-buffering|[\w-]*timeout|http-version)|client-[\w-]+|limit-[\w-]+|keepalive[\w-]*|use-regex|rewrite-target|session-cookie-[\w-]+|affinity[\w-]*|load-balance|upstream-hash-by|enable-(?:cors|opentelemetry|access-log)|cors-[\w-]+|backend-protocol|whitelist-source-range|allowlist-source-range|denylist-source-range|listen-ports|certificate-arn|ssl-policy|target-type|healthcheck-[\w-]+|success-codes|group\.(?:name|order)|scheme))$/;

/** A closed world of annotations. */
export const ingressOptions: ResourceRule = {
  name: "network-ingress-options",
  title: "The rules understand every annotation of an Ingress",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Annotations configure the proxies of the controller for everyone: a snippet runs in them and reads the Secrets of all namespaces (CVE-2021-25742), and others send requests, with their credentials, to an address that no rule judges (`auth-url`, `mirror-target`, `permanent-redirect`). An annotation is a finding unless it names the controller, or only limits what the Ingress does: sizes, times, rates, certificates, redirects to TLS, sessions and CORS.",
  references: [
    { standard: "Checkov", item: "CKV_K8S_152-154" },
    { standard: "Requirement", item: "a closed world of resources" },
  ],
  notApplicable: () => "the stack creates no Ingress",
  concerns: isObject("Ingress"),
  *check(subject) {
    const annotations = subject.inputs.at("metadata", "annotations");
    yield* judgeAnswers(subject, { at: annotations, holds: true, message: "", fix: "" });
    for (const [name, reader] of annotations.entries())
      yield* judgeAnswers(subject, {
        at: reader,
        holds: name === "*" ? reader.isAbsent : UNDERSTOOD.test(name),
        message: `the rules do not understand annotation ${name}`,
        fix: "remove the annotation, or use the gateway and its routes",
      });
  },
};

import { objectsOf } from "../../reading/kubernetes/objects.ts";
import { onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";
import type { Reader } from "../../model/reader.ts";
import { judge, type StackRule, type Subject } from "../../model/rule.ts";
import { all, any, type Truth } from "../../model/truth.ts";

/** Traffic of users is encrypted. */
export const tls: StackRule = {
  name: "network-tls",
  title: "The gateway's listeners use TLS; a listener without TLS only redirects",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "Each listener has protocol HTTPS or TLS with a certificate, or has protocol HTTP and all its routes redirect to https. A route without `sectionName` belongs to all listeners.",
  references: [
    { standard: "OWASP ASVS 4.0", item: "9.1.1" },
    { standard: "Kubescape", item: "C-0263" },
  ],
  notApplicable: onlyOnKubernetes,
  *check(context) {
    const routes = objectsOf(context, "HTTPRoute", "GRPCRoute", "TCPRoute");
    for (const gateway of objectsOf(context, "Gateway"))
      for (const listener of gateway.inputs.at("spec", "listeners").eachRequired()) {
        const encrypted = all(
          listener.at("protocol").is("HTTPS", "TLS"),
          any(
            listener.at("tls", "mode").is("Passthrough"),
            listener.at("tls", "certificateRefs").test((value) => Array.isArray(value) && value.length > 0),
          ),
        );
        const plain = routes.filter((route) => attaches(route, gateway, listener));
        const redirects = all(listener.at("protocol").is("HTTP"), plain.length > 0, ...plain.map(redirectsOnly));
        yield judge(
          gateway,
          listener.at("protocol"),
          any(encrypted, redirects),
          `listener ${listener.at("name").shown} accepts requests without TLS`,
          "set protocol: HTTPS with certificateRefs, or redirect all requests to https",
        );
      }
    for (const ingress of objectsOf(context, "Ingress")) {
      const place = ingress.inputs.at("spec", "tls");
      yield judge(
        ingress,
        place,
        place.test((value) => Array.isArray(value) && value.length > 0),
        "the Ingress has no TLS",
        "set spec.tls",
      );
    }
  },
};

/** Whether a route may belong to a listener; a route without `sectionName` belongs to all of them. */
function attaches(route: Subject, gateway: Subject, listener: Reader): boolean {
  const name = gateway.inputs.at("metadata", "name").text;
  return route.inputs
    .at("spec", "parentRefs")
    .each()
    .some((parent) => {
      const sections = parent.at("sectionName");
      return (
        (name === undefined || parent.at("name").is(name) !== false) &&
        (sections.isAbsent !== false || sections.text === listener.at("name").text)
      );
    });
}

function redirectsOnly(route: Subject): Truth {
  return all(
    ...route.inputs
      .at("spec", "rules")
      .eachRequired()
      .map((rule) =>
        any(
          ...rule
            .at("filters")
            .each()
            .map((filter) =>
              all(filter.at("type").is("RequestRedirect"), filter.at("requestRedirect", "scheme").is("https")),
            ),
        ),
      ),
  );
}

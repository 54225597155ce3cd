import { judge, type ResourceRule } from "../../model/rule.ts";
import { UnknownTruth } from "../../model/truth.ts";
import { hasOpenPlaces, openPlaces } from "../../reading/secret-places.ts";
import { credentialIn } from "../../reading/secret-shapes.ts";

/** No credential stands where anybody can read it. */
export const literals: ResourceRule = {
  name: "secret-literals",
  title:
    "No credential stands in an environment variable, ConfigMap, command line, label or file without a secret mark",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Each such value is tested by known shapes (tokens, keys, JSON Web Tokens, passwords in URLs), by its name, and by its randomness. A value that the program marks secret is another rule's (`secret-environment`). The report never shows the value.",
  references: [
    { standard: "CIS Docker 1.6.0", item: "4.10" },
    { standard: "CIS Kubernetes 1.11", item: "5.4.1" },
    { standard: "Kubescape", item: "C-0012" },
  ],
  concerns: hasOpenPlaces,
  *check(subject) {
    for (const { reader, name, kind, value } of openPlaces(subject)) {
      const reason = value === undefined ? undefined : credentialIn(value, name);
      const holds = reader.state === "unknown" ? new UnknownTruth([reader.path]) : reason === undefined;
      const label = name === "" ? kind : `${kind} ${name}`;
      yield judge(
        subject,
        reader,
        holds,
        `${label} may be a credential${reason === undefined ? "" : `: ${reason}`}`,
        "mark it secret and mount it as a file",
      );
    }
  },
};

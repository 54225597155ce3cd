import { judge, type ResourceRule } from "../../model/rule.ts";
import { UnknownTruth } from "../../model/truth.ts";
import { hasOpenPlaces, openPlaces } from "../../reading/secret-places.ts";
import { credentialIn } from "../../../contract/secrets/credentials.ts";

/** Credentials are not readable in the declaration of a resource. */
export const literals: ResourceRule = {
  name: "secret-literals",
  title:
    "No environment variable, ConfigMap, command line, label or file contains a credential that is not marked secret",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "The rule tests each value for known formats (tokens, keys, JSON Web Tokens, passwords in URLs), for its name, and for its randomness. `secret-environment` checks values that are marked secret. The report never shows a value.",
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

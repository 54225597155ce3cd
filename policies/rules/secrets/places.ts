import { credentialIn } from "../../../contract/secrets/credentials.ts";
import type { Resource } from "../../../contract/graph.ts";
import { isContainer } from "../../reading/containers.ts";
import { kindOf } from "../../reading/kubernetes/pods.ts";
import { stringsOf } from "../../reading/strings.ts";
import { Reader } from "../../model/reader.ts";
import { judge, judgeAt, subjectOf, type StackRule } from "../../model/rule.ts";

/** Secrets go only where they stay secret. */
export const secretPlaces: StackRule = {
  name: "secret-places",
  title: "A value that is marked secret is in a Secret or a file, and outputs of the stack show no credential",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "The mark keeps a value secret in Pulumi's state, and not on the platform. On Kubernetes, a marked value may be in the data of a Secret alone: a ConfigMap, a custom resource, an annotation, a label, a command or a probe is readable by everyone with read access. On Docker it may be in an uploaded file alone. Environment variables are the subject of `secret-environment`. Outputs of the stack are printed by `pulumi stack output`; one with the name or the format of a credential must be marked.",
  references: [
    { standard: "CIS Kubernetes 1.11", item: "5.4.1, 5.4.2" },
    { standard: "Pulumi", item: "secrets in state" },
  ],
  *check(context) {
    for (const resource of context.graph.resources) {
      const allowed = allowedIn(resource);
      if (allowed === undefined) continue;
      const subject = subjectOf(resource);
      const open = [...subject.inputs.leaves()].filter(({ secret, path }) => secret && !allowed.test(path));
      for (const reader of open)
        yield judge(
          subject,
          reader,
          false,
          "a secret is readable on the platform, although its mark hides it in the state",
          isContainer(resource) ? "upload it as a file" : "put it into a Secret, and mount that as a file",
        );
      if (open.length === 0) yield judge(subject, "", true, "", "");
    }
    for (const [output, value] of Object.entries(context.graph.outputs))
      for (const { reader, name } of stringsOf(Reader.of(value, output), output)) {
        const reason =
          reader.secret || reader.text === undefined ? undefined : credentialIn(reader.text, name, "field");
        yield judgeAt(
          { object: `output ${reader.path}`, path: "" },
          reason === undefined,
          `an output of the stack may be a credential: ${reason ?? ""}`,
          "do not export it, or wrap it in pulumi.secret(…)",
        );
      }
  },
};

/** The paths of a resource at which a secret may be; undefined for resources that keep their inputs. */
function allowedIn(resource: Resource): RegExp | undefined {
  // The engine marks the whole list of files if one content is secret.
  if (isContainer(resource)) return /^(?:uploads|envs)\b/;
  if (resource.type.startsWith("docker:index/") && !/:Secret$|registry/i.test(resource.type)) return /^$/;
  const kind = kindOf(resource);
  if (kind === undefined) return undefined;
  return kind === "Secret" ? /^(?:data|stringData)\b/ : /\.env\[\d+\]\.value$/;
}

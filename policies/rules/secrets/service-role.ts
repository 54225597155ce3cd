import { LABELS } from "../../../contract/labels.ts";
import { componentOf, isContainer } from "../../reading/containers.ts";
import { bearsPods, podsOf } from "../../reading/pods.ts";
import type { Reader } from "../../model/reader.ts";
import { judge, type ResourceRule, type Subject } from "../../model/rule.ts";
import { all, not } from "../../model/truth.ts";
import { environmentOf } from "../../reading/secret-places.ts";

/** Components of the back end, which may have the key that bypasses row-level security. */
const TRUSTED = /^(server(-blue|-green)?|backup(-runner)?|migrations?)(-files)?$/;
const KEY = /service[_-]?role/i;

/** Only the back end has the key that bypasses all policies. */
export const serviceRole: ResourceRule = {
  name: "service-role-key",
  title: "Only the server, its backups and its migrations have the service-role key",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "The key bypasses row-level security. It must not be in the environment, files or volumes of another component (router, dashboards, exporters), and not among the secrets of an edge function, which is called from the internet.",
  references: [
    { standard: "Supabase documentation", item: "API keys: service_role" },
    { standard: "CIS Kubernetes 1.11", item: "5.4.1" },
  ],
  concerns: (resource) =>
    isContainer(resource) ||
    bearsPods(resource) ||
    resource.type === "supabase:index/edgeFunctionSecrets:EdgeFunctionSecrets",
  *check(subject) {
    const { resource, inputs } = subject;
    if (resource.type.startsWith("supabase:")) {
      for (const secret of inputs.at("secrets").each()) {
        const name = secret.at("name");
        yield judge(
          subject,
          name,
          all(name.isPresent, not(name.matches(KEY))),
          "an edge function has the service-role key",
          "use a separate role for it",
        );
      }
      return;
    }
    const component = isContainer(resource)
      ? componentOf(inputs)
      : podsOf(subject)[0]?.metadata.at("labels", LABELS.component).text;
    if (component !== undefined && TRUSTED.test(component)) {
      yield judge(subject, "", true, "", "");
      return;
    }
    yield judge(subject, "", true, "", "");
    for (const { reader, name } of environmentOf(subject))
      yield judge(
        subject,
        reader,
        !KEY.test(name),
        `environment variable ${name} is the service-role key`,
        "remove it",
      );
    for (const place of filesOf(subject))
      yield judge(subject, place, not(place.matches(KEY)), "the service-role key is mounted", "remove it");
  },
};

function filesOf(subject: Subject): readonly Reader[] {
  if (isContainer(subject.resource))
    return subject.inputs
      .at("uploads")
      .each()
      .map((upload) => upload.at("file"));
  return podsOf(subject).flatMap((pod) => [
    ...pod.spec
      .at("volumes")
      .each()
      .flatMap((volume) =>
        volume
          .at("secret", "items")
          .each()
          .map((item) => item.at("key")),
      ),
    ...pod.containers
      .flatMap((container) =>
        container.reader
          .at("env")
          .each()
          .map((variable) => variable.at("valueFrom", "secretKeyRef", "key")),
      )
      .filter((key) => key.isAbsent !== true),
  ]);
}

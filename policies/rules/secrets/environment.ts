import { judge, type ResourceRule } from "../../model/rule.ts";
import { hasOpenPlaces, environmentOf } from "../../reading/secret-places.ts";
import { podsOf } from "../../reading/kubernetes/pods.ts";

/** Secrets are mounted as files. */
export const secretEnvironment: ResourceRule = {
  name: "secret-environment",
  title: "Secrets are mounted as files and not set as environment variables",
  level: "advisory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Child processes inherit the environment, `docker inspect` and `/proc` show it, and crash reports contain it. The server reads `NAME_FILE` for every secret `NAME`.",
  references: [{ standard: "CIS Kubernetes 1.11", item: "5.4.1" }],
  concerns: hasOpenPlaces,
  *check(subject) {
    for (const { reader, name } of environmentOf(subject))
      yield judge(
        subject,
        reader,
        !reader.secret,
        `environment variable ${name} is a secret`,
        "mount it as a file, and set its _FILE variable",
      );
    for (const pod of podsOf(subject))
      for (const container of pod.containers) {
        for (const variable of container.reader.at("env").each()) {
          const reference = variable.at("valueFrom", "secretKeyRef");
          yield judge(
            subject,
            reference,
            reference.isAbsent,
            `environment variable ${variable.at("name").shown} comes from a Secret`,
            "mount the Secret as a volume",
          );
        }
        for (const from of container.reader.at("envFrom").each()) {
          const reference = from.at("secretRef");
          yield judge(
            subject,
            reference,
            reference.isAbsent,
            `the environment contains the whole Secret ${reference.at("name").shown}`,
            "mount the Secret as a volume",
          );
        }
      }
  },
};

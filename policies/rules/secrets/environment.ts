import { judge, type ResourceRule } from "../../model/rule.ts";
import { hasOpenPlaces, environmentOf } from "../../reading/secret-places.ts";
import { podsOf } from "../../reading/pods.ts";

/** Secrets are files. */
export const secretEnvironment: ResourceRule = {
  name: "secret-environment",
  title: "Secrets are mounted as files, not put into the environment",
  level: "advisory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "The environment is inherited by every child process, shown by `docker inspect` and by `/proc`, and ends up in crash reports. The server reads `NAME_FILE` for every secret `NAME`.",
  references: [{ standard: "CIS Kubernetes 1.11", item: "5.4.1" }],
  concerns: hasOpenPlaces,
  *check(subject) {
    for (const { reader, name } of environmentOf(subject))
      yield judge(
        subject,
        reader,
        !reader.secret,
        `environment variable ${name} is a secret`,
        "mount it as a file and set its _FILE variable",
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
            `the environment takes the whole Secret ${reference.at("name").shown}`,
            "mount the Secret as a volume",
          );
        }
      }
  },
};

import { Reader } from "../model/reader.ts";
import type { StackContext, Subject } from "../model/rule.ts";
import { objectsOf } from "./kubernetes/objects.ts";
import { podsOf } from "./kubernetes/pods.ts";

/** A reference of a pod to a Secret, as a volume or a variable. */
export interface SecretReference {
  /** The name of the Secret. */
  readonly name: Reader;
  /** The keys that the pod gets; undefined for the whole Secret. */
  readonly keys: readonly Reader[] | undefined;
}

/** Every Secret that the pods of a resource refer to: volumes, projected volumes, variables. */
export function* secretReferences(subject: Subject): Generator<SecretReference> {
  for (const pod of podsOf(subject)) {
    for (const volume of pod.spec.at("volumes").each()) {
      const sources = [
        [volume.at("secret"), "secretName"] as const,
        ...volume
          .at("projected", "sources")
          .each()
          .map((source) => [source.at("secret"), "name"] as const),
      ];
      for (const [source, field] of sources) {
        if (source.isAbsent === true) continue;
        const items = source.at("items");
        yield {
          name: source.at(field),
          keys: items.isAbsent === true ? undefined : items.each().map((item) => item.at("key")),
        };
      }
    }
    for (const { reader } of pod.containers) {
      for (const variable of reader.at("env").each()) {
        const reference = variable.at("valueFrom", "secretKeyRef");
        if (reference.isAbsent !== true) yield { name: reference.at("name"), keys: [reference.at("key")] };
      }
      for (const from of reader.at("envFrom").each()) {
        const reference = from.at("secretRef");
        if (reference.isAbsent !== true) yield { name: reference.at("name"), keys: undefined };
      }
    }
  }
}

/** The keys of each Secret that the stack declares, by its name; no entry if they are not known. */
export function declaredSecrets(context: StackContext): ReadonlyMap<string, readonly string[]> {
  const byUrn = new Map(context.graph.resources.map((resource) => [resource.urn, resource]));
  return new Map(
    objectsOf(context, "Secret").flatMap(({ inputs, resource }) => {
      const name = inputs.at("metadata", "name").text;
      // The component lists the files where the content is unknown as a whole.
      const files = Reader.of(byUrn.get(resource.parent ?? "")?.inputs.files).each();
      const data = ["data", "stringData"].flatMap((field) =>
        inputs
          .at(field)
          .entries()
          .map(([key]) => key),
      );
      const keys = [...data.filter((key) => key !== "*"), ...files.flatMap(({ text }) => text ?? [])];
      return name === undefined || keys.length === 0 ? [] : [[name, keys] as const];
    }),
  );
}

import { credentialIn } from "../../../contract/secrets/credentials.ts";
import { isNamedCredential } from "../../../contract/secrets/names.ts";
import { credentialShape } from "../../../contract/secrets/shapes.ts";
import { isContainer } from "../../reading/containers.ts";
import { kindOf, podsOf } from "../../reading/kubernetes/pods.ts";
import type { Reader } from "../../model/reader.ts";
import { judge, type ResourceRule, type Subject } from "../../model/rule.ts";
import { UnknownTruth } from "../../model/truth.ts";
import { openPlaces } from "../../reading/secret-places.ts";
import { stringsOf } from "../../reading/strings.ts";

/** Credentials are not readable in the declaration of a resource. */
export const literals: ResourceRule = {
  name: "secret-literals",
  title: "No string of a resource contains a credential that is not marked secret",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "The rule tests each string of each resource for known formats (tokens, keys, JSON Web Tokens, passwords in URLs), for its name, and for names that it sets (`PGPASSWORD=…`, `password: …`), also inside of base64, hexadecimal digits, gzip, URL and JSON escapes, and for random words. Random and public are digests, revisions, UUIDs, certificates, public keys and the keys of Supabase that browsers get; what Sealed Secrets, SOPS, Vault, age or PGP encrypted is not a credential. A name is that of a credential if the word for it comes last, apart from words such as `V2` or `PROD`; references such as `_FILE` and `_URL` must be what they say. `secret-places` and `secret-environment` check values that are marked secret. The report never shows a value.",
  references: [
    { standard: "CIS Docker 1.6.0", item: "4.10" },
    { standard: "CIS Kubernetes 1.11", item: "5.4.1" },
    { standard: "Kubescape", item: "C-0012" },
  ],
  concerns: () => true,
  *check(subject) {
    const seen = new Set<string>();
    const failed = new Set<string>();
    for (const { reader, name, kind, value } of openPlaces(subject)) {
      seen.add(reader.path);
      const reason = value === undefined ? undefined : credentialIn(value, name);
      if (reason !== undefined) failed.add(reader.path);
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
    for (const list of commandsOf(subject)) {
      const words = list.each().flatMap(({ secret, text }) => (secret ? "$SECRET" : (text ?? "$UNKNOWN")));
      // What a single word contains is found there.
      const shape = words.some((word) => credentialShape(word) !== undefined)
        ? undefined
        : credentialShape(words.join(" "));
      if (shape !== undefined && !list.each().some(({ path }) => failed.has(path))) {
        failed.add(list.path);
        yield judge(
          subject,
          list,
          false,
          `${list.path} may contain a credential: it has the format of ${shape}`,
          "pass it on as a file",
        );
      }
    }
    // Everything else, and arguments once more with the option before them.
    for (const { reader, name, free } of stringsOf(subject.inputs)) {
      // The values of a Secret are for secret-marks.
      if (reader.secret || (kindOf(subject.resource) === "Secret" && /^(?:data|stringData)\b/.test(reader.path)))
        continue;
      if (failed.has(reader.path)) continue;
      if (seen.has(reader.path) && !/\b(?:args|command|entrypoints|tests)\[/.test(reader.path)) continue;
      if (reader.text === undefined) {
        if (!seen.has(reader.path) && isNamedCredential(name, "an unknown value"))
          yield judge(subject, reader, new UnknownTruth([reader.path]), `${reader.path} may be a credential`, "");
        continue;
      }
      const reason = credentialIn(reader.text, name, free && subject.resource.custom ? "free" : "field");
      if (reason !== undefined)
        yield judge(
          subject,
          reader,
          false,
          `${reader.path} may be a credential: ${reason}`,
          "mark it secret, and pass it on as a file or as a reference to a Secret",
        );
    }
  },
};

/** The commands of a resource, whose words belong together. */
function* commandsOf(subject: Subject): Generator<Reader> {
  if (isContainer(subject.resource))
    yield* [["entrypoints"], ["command"], ["healthcheck", "tests"]].map((path) => subject.inputs.at(...path));
  for (const pod of podsOf(subject))
    for (const { reader } of pod.containers) {
      yield* [reader.at("command"), reader.at("args")];
      for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"])
        yield reader.at(probe, "exec", "command");
      for (const hook of ["postStart", "preStop"]) yield reader.at("lifecycle", hook, "exec", "command");
    }
}

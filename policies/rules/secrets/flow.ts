import { kindOf } from "../../reading/kubernetes/pods.ts";
import { dependentTexts, finderOf, textsOf, tracedIn } from "../../reading/secret-traces.ts";
import { Reader } from "../../model/reader.ts";
import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";

/** Secrets stay secret on their way through the program. */
export const secretFlow: StackRule = {
  name: "secret-flow",
  title: "The value of a secret is in no text that is not marked secret",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "A mark is lost in `pulumi.unsecret`, and where a program takes a value apart. `plan` runs the program a second time with a made-up value for each secret setting, each generated password and key, and the keys of the database's API, and looks for these values in every text of every resource without a mark, in keys and names of resources, and in outputs of the stack: unchanged, a part of at least 19 characters, or in base64, hexadecimal digits, URL and JSON escapes and gzip. Under the engine, the real values of the places for secrets (Secrets, files, passwords of databases) are looked for; they are not shown. What a hash or a cipher makes of a secret is not found.",
  references: [
    { standard: "Pulumi", item: "secrets in state" },
    { standard: "OWASP ASVS 4.0", item: "6.4.1" },
  ],
  *check({ graph }) {
    const { run, secrets } = tracedIn(graph);
    const find = finderOf(secrets);
    for (const [resource, texts] of dependentTexts(graph)) {
      const subject = subjectOf(resource);
      yield judgeAt(
        placeOf(subject, ""),
        find(resource.name) === undefined,
        "its name contains the value of a secret",
        "name it without the value",
      );
      const isSecret = kindOf(resource) === "Secret";
      for (const { path, text, secret } of texts) {
        // The values of a Secret are for secret-marks.
        if (secret || (isSecret && /^(?:data|stringData)\b/.test(path))) continue;
        const found = find(text);
        if (found !== undefined)
          yield judgeAt(
            placeOf(subject, path),
            false,
            `it contains the value of ${found.name}, which is a secret`,
            "do not take the value out of its mark, or mark the result with pulumi.secret(…)",
          );
      }
    }
    for (const { path, text, secret } of textsOf(Reader.of(run.outputs))) {
      const found = secret ? undefined : find(text);
      yield judgeAt(
        { object: `output ${path}`, path: "" },
        found === undefined,
        `it contains the value of ${found?.name ?? ""}, which is a secret`,
        "do not export it, or wrap it in pulumi.secret(…)",
      );
    }
  },
};

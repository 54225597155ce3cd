import { GENERATED_SECRETS } from "../../../contract/secrets/generated.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { secretPlaces } from "../../reading/holders.ts";
import { SECRETS_DIRECTORY } from "../../../contract/server.ts";

/** Secrets are marked, so that the state stores them encrypted. */
export const secretMarks: ResourceRule = {
  name: "secret-marks",
  title: "Values that hold a secret are marked secret, so that the state stores them encrypted",
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation: `Checked are the data of Kubernetes Secrets, files under \`${SECRETS_DIRECTORY.slice(0, SECRETS_DIRECTORY.lastIndexOf("/"))}\` of Docker containers, Supabase's database password, access tokens and edge function secrets, private keys of \`tls\` resources, and the outputs of \`random.RandomPassword\`, \`random.RandomBytes\` and \`tls.PrivateKey\`. The mark counts even if the value is unknown.`,
  references: [
    { standard: "Pulumi", item: "secrets in state" },
    { standard: "OWASP ASVS 4.0", item: "6.4.1" },
  ],
  concerns: (resource) => GENERATED_SECRETS[resource.type] !== undefined || secretPlaces(resource) !== undefined,
  *check(subject) {
    // No input carries the mark of what a provider generates.
    for (const output of GENERATED_SECRETS[subject.resource.type] ?? [])
      yield judge(
        subject,
        "",
        subject.resource.options.additionalSecretOutputs.includes(output),
        "the state stores the generated value in plain text",
        `add "${output}" to additionalSecretOutputs`,
      );
    for (const reader of secretPlaces(subject.resource)?.(subject.inputs) ?? [])
      yield judge(
        subject,
        reader,
        reader.secret,
        "the value is not marked secret, so the state stores it in plain text",
        "wrap it in pulumi.secret(…)",
      );
  },
};

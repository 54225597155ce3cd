import type { Resource } from "../../../contract/graph.ts";
import type { Reader } from "../../model/reader.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { isContainer } from "../../reading/containers.ts";
import { SECRETS_DIRECTORY } from "../../../contract/server.ts";

/** What must be marked secret is, so the state file holds it encrypted. */
export const secretMarks: ResourceRule = {
  name: "secret-marks",
  title: "Everything that holds a secret is marked secret, so that state keeps it encrypted",
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation: `Looked at are the data of Kubernetes Secrets, files under \`${SECRETS_DIRECTORY.slice(0, SECRETS_DIRECTORY.lastIndexOf("/"))}\` of Docker containers, Supabase's database password, access tokens and edge function secrets, and what \`random.RandomPassword\` generates. The mark counts also where the value is not known yet.`,
  references: [
    { standard: "Pulumi", item: "secrets in state" },
    { standard: "OWASP ASVS 4.0", item: "6.4.1" },
  ],
  concerns: (resource) => isGenerated(resource) || secretPlaces(resource) !== undefined,
  *check(subject) {
    if (isGenerated(subject.resource))
      yield judge(
        subject,
        "",
        subject.resource.options.additionalSecretOutputs.includes("result"),
        "what is generated stands in the state as plain text",
        'name "result" in additionalSecretOutputs',
      );
    for (const reader of secretPlaces(subject.resource)?.(subject.inputs) ?? [])
      yield judge(
        subject,
        reader,
        reader.secret,
        "the value is not marked secret and stands in the state as plain text",
        "wrap it in pulumi.secret(…)",
      );
  },
};

/** Whether a provider makes the secret up: it is an output, then, and no input can carry its mark. */
function isGenerated(resource: Resource): boolean {
  return resource.type === "random:index/randomPassword:RandomPassword";
}

function secretPlaces(resource: Resource): ((inputs: Reader) => readonly Reader[]) | undefined {
  const { type } = resource;
  if (/^kubernetes:core\/v1:Secret(Patch)?$/.test(type))
    return (inputs) =>
      [inputs.at("data"), inputs.at("stringData")].flatMap((map) => map.entries().map(([, reader]) => reader));
  if (isContainer(resource))
    return (inputs) =>
      inputs
        .at("uploads")
        .each()
        .filter((upload) => upload.at("file").text?.startsWith("/run/secrets/") !== false)
        .map((upload) => upload.at("content").or(upload.at("contentBase64")));
  if (type === "supabase:index/project:Project") return (inputs) => [inputs.at("databasePassword")];
  if (type === "supabase:index/edgeFunctionSecrets:EdgeFunctionSecrets")
    return (inputs) =>
      inputs
        .at("secrets")
        .each()
        .map((secret) => secret.at("value"));
  if (type === "pulumi:providers:supabase") return (inputs) => [inputs.at("accessToken")];
  return undefined;
}

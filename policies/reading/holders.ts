import type { Resource } from "../../contract/graph.ts";
import type { Reader } from "../model/reader.ts";
import { isContainer } from "./containers.ts";

/** The places of a resource that hold secrets; undefined for resources that hold none. */
export function secretPlaces(resource: Resource): ((inputs: Reader) => readonly Reader[]) | undefined {
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
  if (type.startsWith("tls:index/"))
    return (inputs) =>
      ["privateKeyPem", "caPrivateKeyPem"].map((key) => inputs.at(key)).filter(({ state }) => state !== "absent");
  if (type === "pulumi:providers:supabase") return (inputs) => [inputs.at("accessToken")];
  return undefined;
}

import { UserError } from "../contract/errors.ts";
import { credentialShape } from "../contract/secrets/shapes.ts";
import { nearest, suggestion } from "../contract/nearest.ts";
import { PROJECT } from "../stacks/settings.ts";
import { SETTINGS, type SettingKey } from "../stacks/settings/table.ts";
import type { Rewritten } from "./engine-yaml.ts";

/** Sections of a stack file that Pulumi knows. */
const SECTIONS = ["config", "environment", "secretsprovider", "encryptionsalt", "encryptedkey"];

/** Namespaces of `config`: this project's, Pulumi's own, and those of the providers that the program uses, with their keys. */
const NAMESPACES: Readonly<Record<string, readonly string[]>> = {
  [PROJECT]: [],
  pulumi: ["tags", "autonaming", "disable-default-providers", "template"],
  docker: [
    ...["caMaterial", "certMaterial", "certPath", "context", "disableDockerDaemonCheck"],
    ...["host", "keyMaterial", "registryAuth", "sshOpts"],
  ],
  kubernetes: [
    ...["alwaysRender", "cluster", "clusterIdentifier", "context", "deleteUnreachable", "enableConfigMapMutable"],
    ...[
      "enableReplaceCRD",
      "enableSecretMutable",
      "enableServerSideApply",
      "helmReleaseSettings",
      "kubeClientSettings",
    ],
    ...["kubeconfig", "namespace", "renderYamlToDirectory", "skipUpdateUnreachable", "strictMode"],
    ...[
      "suppressDeprecationWarnings",
      "suppressHelmHookWarnings",
      "suppressHelmReleaseWarnings",
      "enablePatchForce",
      "upsertExistingObjects",
    ],
  ],
  random: [],
  supabase: ["accessToken", "endpoint"],
};

/** Namespace and name of a key. One without a namespace is the project's. */
export function splitKey(key: string): [namespace: string, name: string] {
  const colon = key.indexOf(":");
  return colon < 0 ? [PROJECT, key] : [key.slice(0, colon), key.slice(colon + 1)];
}

/** Why a section of the file is not read. One that only holds an anchor for the configuration is for the reader of the file. */
export function sectionProblem(file: string, name: string): readonly UserError[] {
  if (SECTIONS.includes(name)) return [];
  const setting = settingName(name);
  const advice = setting === undefined ? `edit ${file}` : `move it below config: as exai:${setting}`;
  return [
    new UserError(
      "invalid-file",
      `${file}: ${name}`,
      `is ignored: it is not a section${suggestion(name, SECTIONS)}`,
      advice,
    ),
  ];
}

/** Why nothing would read a key. The keys of the project itself are checked with their values. */
export function keyProblem(file: string, key: string): readonly UserError[] {
  const refused = (problem: string, advice: string) => [
    new UserError("invalid-file", `${file}: ${key}`, problem, advice),
  ];
  if (!key.includes(":")) {
    const name = settingName(key) ?? nearest(key, Object.keys(SETTINGS)) ?? key;
    return refused("has no namespace", `write exai:${name}`);
  }
  const [namespace, name] = splitKey(key);
  const keys = NAMESPACES[namespace];
  if (keys === undefined) {
    const near = nearest(namespace, Object.keys(NAMESPACES)) ?? (settingName(name) === undefined ? undefined : PROJECT);
    return refused(
      `is ignored: nothing reads the namespace "${namespace}"`,
      near === undefined ? `remove it from ${file}` : `write ${near}:${name}`,
    );
  }
  if (namespace === PROJECT || keys.includes(name)) return [];
  const near = nearest(name, keys);
  return refused(
    `is ignored: ${namespace} has no such key${suggestion(name, keys, `${namespace}:`)}`,
    near === undefined ? `remove it from ${file}` : `write ${namespace}:${near}`,
  );
}

/** Keys of providers that hold a credential. */
const PROVIDERS_SECRETS = ["supabase:accessToken", "docker:keyMaterial", "docker:registryAuth"];

/** Why a provider's value must be encrypted. The project's own values are checked with their settings. */
export function plainProblem(file: string, key: string, value: string | symbol): readonly UserError[] {
  if (splitKey(key)[0] === PROJECT || typeof value !== "string" || value === "") return [];
  const shape = credentialShape(value) ?? (PROVIDERS_SECRETS.includes(key) ? "a credential" : undefined);
  if (shape === undefined || /^\{"?secure"?:/.test(value)) return [];
  return [
    new UserError(
      "invalid-file",
      `${file}: ${key}`,
      `is ${shape} in plain text`,
      `pulumi config set --secret --stack ${file.split(".")[1] ?? ""} ${key} <value>`,
    ),
  ];
}

/** Why an unquoted value is refused: the engine would pass on another one, which means something else. */
export function rewrittenProblem(file: string, key: string, { source, text }: Rewritten): readonly UserError[] {
  const [namespace, name] = splitKey(key);
  let meant = source;
  if (namespace === PROJECT && Object.hasOwn(SETTINGS, name)) {
    const { check } = SETTINGS[name as SettingKey];
    const [written, passed] = [check.safeParse(source), check.safeParse(text)];
    if (written.success && passed.success && written.data === passed.data) return [];
    if (!written.success && passed.success) meant = text;
  }
  return [
    new UserError(
      "invalid-file",
      `${file}: ${key}`,
      `is ${source} without quotes, which the engine reads as ${text}`,
      `write ${key}: "${meant}"`,
    ),
  ];
}

/** The setting of that name, in any case. */
function settingName(name: string): string | undefined {
  return Object.keys(SETTINGS).find((key) => key.toLowerCase() === name.replace(/^.*:/, "").toLowerCase());
}

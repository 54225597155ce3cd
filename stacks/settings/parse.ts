import { createRequire } from "node:module";
import type * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import { UserError, UserErrors } from "../../contract/errors.ts";
import { fix, type Fix } from "../../contract/fix.ts";
import { KIND_PORTS } from "../../contract/gateway.ts";
import { credentialShape } from "../../contract/secrets/shapes.ts";
import { hasDigest } from "./checks.ts";
import { removeFix, setFix, type Place } from "./fixes.ts";
import { suggestion } from "../../contract/nearest.ts";
import { DEFERRED, type ConfigSource } from "./source.ts";
import { ENVIRONMENTS, fallbackOf, type Environment, type Setting } from "./setting.ts";
import { SETTINGS, type SettingKey } from "./table.ts";

/** A secret of the configuration: always marked secret, unknown in a plan without credentials. */
export type SecretSetting = pulumi.Output<string>;

type Table = typeof SETTINGS;
type Parsed<Precise extends Setting> = Precise extends { secret: true }
  ? SecretSetting
  : Precise extends { deferrable: true }
    ? pulumi.Input<z.output<Precise["check"]>>
    : z.output<Precise["check"]>;
type Absent<Precise extends Setting> = Precise extends { fallback: string | Record<Environment, string> }
  ? never
  : undefined;

/** Every setting after validation, by key. What has no default in every environment may be undefined. */
export type Values = { readonly [Key in SettingKey]: Parsed<Table[Key]> | Absent<Table[Key]> };

/**
 * Sets a value that carries a mark of the SDK's. It is made at its first read, and only then the SDK is loaded: a
 * rollout reads none of them, and must not wait for it.
 */
function setMarked(values: object, key: SettingKey, mark: (sdk: typeof pulumi) => unknown): void {
  let made: unknown;
  const get = (): unknown => (made ??= mark(createRequire(import.meta.url)("@pulumi/pulumi") as typeof pulumi));
  Object.defineProperty(values, key, { get, enumerable: true });
}

/** Refuses settings of one stack, with what corrects each. */
class Refusals {
  readonly errors: UserError[] = [];
  readonly #stack: string;
  readonly #environment: Environment | undefined;
  readonly #source: ConfigSource;

  constructor(stack: string, environment: Environment | undefined, source: ConfigSource) {
    this.#stack = stack;
    this.#environment = environment;
    this.#source = source;
  }

  /** @param value a value that would be accepted. @default the table's example */
  set(key: string, problem: string, value = settingOf(key)?.example ?? ""): void {
    this.#add(key, problem, setFix(this.#place(key), value));
  }

  /** A value that must not be in the file. */
  plain(key: string, problem: string): void {
    const local = this.#environment === "local";
    // On this machine, the values of --set are kept next to the data.
    const place: Place = { ...this.#place(key), ...(local ? { origin: "recorded" } : { secret: true }) };
    this.#add(key, problem, setFix(place, settingOf(key)?.example ?? ""));
  }

  /** A value that is missing, with the environments that may set it. */
  missing(key: string, problem: string): void {
    const { imports } = this.#source;
    if (imports.length === 0) this.set(key, problem);
    else
      this.#add(
        key,
        `${problem}; ${imports.join(", ")}, which the stack file imports, may set it, and only the engine reads that`,
        fix`set it in Pulumi.${this.#stack}.yaml, or judge the stack with: pulumi preview --stack ${this.#stack} --policy-pack policies`,
      );
  }

  remove(key: string, problem: string): void {
    this.#add(key, problem, removeFix(this.#place(key)));
  }

  #add(key: string, problem: string, advice: Fix): void {
    this.errors.push(new UserError("invalid-setting", `exai:${key}`, problem, advice));
  }

  #place(key: string): Place {
    const secret = settingOf(key)?.secret === true;
    return {
      ...{ stack: this.#stack, environment: this.#environment, key, secret },
      origin: this.#source.origin(key),
    };
  }
}

function settingOf(key: string): Setting | undefined {
  return Object.hasOwn(SETTINGS, key) ? SETTINGS[key as SettingKey] : undefined;
}

/** Which environment a stack is. @throws UserError if neither its name nor `exai:environment` says it */
export function environmentOf(stack: string, source: ConfigSource): Environment {
  const given = source.get("environment");
  const named = given === undefined || given === "" ? stack : given;
  const found = ENVIRONMENTS.find((environment) => environment === named);
  if (found !== undefined) return found;
  const refusals = new Refusals(stack, undefined, source);
  refusals.set(
    "environment",
    `the name of stack "${stack}" is not an environment, and the setting does not name one of ${ENVIRONMENTS.join(", ")}`,
  );
  throw new UserErrors(refusals.errors);
}

/**
 * Validates a stack's whole configuration.
 *
 * @throws UserErrors that name every refused key, the reason and the fixing command
 */
export function parseValues(stack: string, environment: Environment, source: ConfigSource): Values {
  const refusals = new Refusals(stack, environment, source);
  const known = Object.keys(SETTINGS) as SettingKey[];
  const values: Partial<Record<SettingKey, unknown>> = {};
  const plain: Partial<Record<SettingKey, string>> = {};

  for (const key of source.keys) {
    if (settingOf(key) === undefined) refusals.remove(key, `is an unknown key${suggestion(key, known, "exai:")}`);
  }

  for (const key of known) {
    const setting: Setting = SETTINGS[key];
    const given = source.get(key);
    // Pulumi.yaml declares an empty default for what may be absent.
    const raw = given === undefined || given === "" ? fallbackOf(setting, environment) : given;
    const required = setting.required?.includes(environment) === true;
    const suppliedLater =
      setting.secret === true ? required : setting.deferrable === true && !source.get("buildContext");
    const deferred = raw === undefined && source.defers && suppliedLater;
    if (raw === DEFERRED && setting.secret !== true && setting.deferrable !== true) {
      refusals.set(key, "is encrypted, so that only the engine can read it, and is not a secret");
      continue;
    }
    if (typeof given === "string" && given !== "" && source.isWritten(key)) {
      const shape = credentialShape(given);
      if (setting.secret === true) refusals.plain(key, "is a secret in plain text");
      else if (shape !== undefined) refusals.plain(key, `contains ${shape} in plain text`);
    }
    if (raw === DEFERRED || deferred) {
      setMarked(values, key, ({ output, secret, unknown }) =>
        setting.secret === true ? secret(output(unknown)) : output(unknown),
      );
      continue;
    }
    if (raw === undefined) {
      if (required) refusals.missing(key, setting.secret === true ? "is a secret that is not set" : "is not set");
      continue;
    }
    const result = setting.check.safeParse(raw);
    if (result.success) {
      if (setting.secret === true) setMarked(values, key, ({ secret }) => secret(result.data));
      else values[key] = result.data;
      plain[key] = raw;
    } else {
      refusals.set(key, result.error.issues[0]?.message ?? "is not valid");
    }
  }

  crossChecks(refusals, environment, values as Partial<Values>, plain);
  if (refusals.errors.length > 0) throw new UserErrors(refusals.errors);
  return values as Values;
}

/** What only two settings together, or a setting and its environment, can break. */
function crossChecks(
  refusals: Refusals,
  environment: Environment,
  values: Partial<Values>,
  plain: Partial<Record<SettingKey, string>>,
): void {
  const cluster = environment !== "local";
  const isGiven = (key: SettingKey): boolean => key in values;

  if (environment === "prod" && values.productionUrl?.startsWith("http:") === true)
    refusals.set("productionUrl", "EXAI_PRODUCTION_URL is http: in prod; browsers must come by https:");

  const listening: [SettingKey, number | undefined][] = cluster
    ? [["wsPort", values.wsPort]]
    : [
        ["httpPort", values.httpPort],
        ["wsPort", values.wsPort],
        ["observePort", values.observePort],
        ["prometheusPort", values.prometheusPort],
        ["alertmanagerPort", values.alertmanagerPort],
        ["grafanaPort", values.grafanaPort],
        ["postgresPort", values.postgresPort],
      ];
  const taken = new Map<number, SettingKey>();
  for (const [key, port] of listening) {
    if (port === undefined) continue;
    const other = taken.get(port);
    if (other === undefined) taken.set(port, key);
    else refusals.set(key, `is port ${port}, the same as exai:${other}`, String(freePort(port, taken)));
  }
  if (values.wsPort === 8080) refusals.set("wsPort", "is 8080, the port of HTTP and MCP inside the container");
  const ofKind = Object.entries(KIND_PORTS).find(([, port]) => port === values.wsPort);
  if (cluster && ofKind !== undefined)
    refusals.set("wsPort", `is ${ofKind[1]}, the port of ${ofKind[0]} requests on the slots' Services`);

  if (cluster) {
    const slots = isGiven("blueImage") && isGiven("greenImage");
    if (!isGiven("image") && !isGiven("buildContext") && !slots)
      refusals.missing("image", "is not set, and there is no exai:buildContext to build one from");
    for (const key of [
      "image",
      "blueImage",
      "greenImage",
      "backupImage",
      "prometheusImage",
      "alertmanagerImage",
      "grafanaImage",
      "postgresExporterImage",
    ] as const) {
      const image = plain[key];
      if (image !== undefined && !hasDigest(image))
        refusals.set(
          key,
          `has no digest; a tag can be moved, so ${environment} takes images by digest`,
          `$(docker buildx imagetools inspect ${image} --format '${image.split(":")[0] ?? image}@{{.Manifest.Digest}}')`,
        );
    }
  }
  if (isGiven("buildContext") !== isGiven("buildRepository")) {
    const absent = isGiven("buildContext") ? "buildRepository" : "buildContext";
    refusals.set(absent, "is not set; exai:buildContext and exai:buildRepository go together");
  }
  if (plain.jwtSecret !== undefined && plain.jwtSecret === plain.jwtSecretPrevious)
    refusals.remove("jwtSecretPrevious", "is the same key as exai:jwtSecret");
  if (isGiven("rolloutWebhook") && !isGiven("rolloutWebhookSecret"))
    refusals.set("rolloutWebhookSecret", "is not set; exai:rolloutWebhook is sent nothing unsigned");
  if (values.rolloutHooks?.some(({ url }) => url !== undefined) === true && !isGiven("rolloutHookSecret"))
    refusals.set("rolloutHookSecret", "is not set; a hook of exai:rolloutHooks is sent nothing unsigned");
  for (const slot of ["blue", "green"] as const)
    if ((plain[`${slot}JwtKeys`] ?? "current") !== "current" && !isGiven("jwtSecretNext"))
      refusals.remove(`${slot}JwtKeys`, `is "${plain[`${slot}JwtKeys`] ?? ""}", and there is no exai:jwtSecretNext`);
  if ((values.simpleToolTimeout ?? 0) > (values.workflowToolTimeout ?? Infinity))
    refusals.set("simpleToolTimeout", "is longer than exai:workflowToolTimeout, which contains it");
}

/** The next port above one that is not in the map. */
function freePort(port: number, taken: ReadonlyMap<number, unknown>): number {
  let next = port + 1;
  while (taken.has(next)) next += 1;
  return next;
}

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { UserError, UserErrors } from "../../contract/errors.ts";
import { NO_RECORDS, slotImages } from "../../stacks/records.ts";
import { parseSettings, type Settings } from "../../stacks/settings.ts";
import { plainSource, type Origin } from "../../stacks/settings/source.ts";
import { fallbackOf, type Setting } from "../../stacks/settings/setting.ts";
import { SETTINGS } from "../../stacks/settings/table.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;
const SECRET = "0123456789abcdef0123456789abcdef";

/** Everything that prod wants, valid. */
const PROD = {
  image: `ghcr.io/org/exai@${DIGEST}`,
  backupImage: `ghcr.io/org/postgres@${DIGEST}`,
  productionUrl: "https://exai.example.com",
  hostname: "exai.example.com",
  kubeContext: "prod",
  kimiApiKey: "k",
  glmApiKey: "g",
  supabaseAccessToken: "sbp_x",
  supabaseOrganization: "org",
};

type Raw = Readonly<Record<string, string>>;

function parsed(stack: string, values: Raw, defers = false): Settings {
  return parseSettings(stack, plainSource(values, { defers }));
}

/** The refusals of a configuration, by key. */
function refusals(stack: string, values: Raw): Map<string, UserError> {
  try {
    parsed(stack, values);
  } catch (error) {
    const errors = error instanceof UserErrors ? error.errors : error instanceof UserError ? [error] : [];
    if (errors.length > 0) return new Map(errors.map((single) => [single.where, single]));
    throw error;
  }
  return new Map();
}

function without(values: Raw, key: string): Raw {
  return Object.fromEntries(Object.entries(values).filter(([name]) => name !== key));
}

describe("settings that are accepted", () => {
  it("takes local without any setting", () => {
    expect(parsed("local", {})).toMatchObject({
      environment: "local",
      instance: "exai",
      httpPort: 8080,
      wsPort: 8079,
      replicas: 1,
    });
  });

  it("takes prod with all that it requires", () => {
    expect(parsed("prod", PROD)).toMatchObject({
      environment: "prod",
      replicas: 3,
      image: PROD.image,
    });
  });

  it("takes the environment of a stack with another name from the setting", () => {
    expect(parsed("prod-eu", { ...PROD, environment: "prod" }).environment).toBe("prod");
  });

  it("gives a slot its own image", () => {
    const green = `ghcr.io/org/exai@sha256:${"f".repeat(64)}`;
    const settings = parsed("prod", { ...PROD, greenImage: green });
    expect(slotImages(settings, NO_RECORDS)).toEqual({ blue: PROD.image, green });
  });

  it("keeps the image that a rollout has deployed, unless the slot has its own setting", () => {
    const deployed = `ghcr.io/org/exai@sha256:${"d".repeat(64)}`;
    const own = `ghcr.io/org/exai@sha256:${"e".repeat(64)}`;
    const records = { ...NO_RECORDS, slots: { blue: deployed, green: deployed } };
    const settings = parsed("prod", { ...PROD, greenImage: own });
    expect(slotImages(settings, records)).toEqual({ blue: deployed, green: own });
  });

  it("treats the empty defaults of Pulumi.yaml as absent", () => {
    expect(parsed("prod", { ...PROD, replicas: "", storageClass: "" })).toMatchObject({ replicas: 3 });
    expect(parsed("prod", { ...PROD, storageClass: "" }).storageClass).toBeUndefined();
  });

  it("defers what only the deployment has, in a plan", () => {
    const rest = without(without(PROD, "image"), "kimiApiKey");
    expect(() => parsed("prod", rest, true)).not.toThrow();
    expect(() => parsed("prod", rest)).toThrow(UserErrors);
  });
});

describe("settings that are refused before any resource", () => {
  const cases: readonly { name: string; stack?: string; values: Raw; key: string; says: RegExp; fix?: RegExp }[] = [
    {
      name: "a missing secret",
      values: without(PROD, "kimiApiKey"),
      key: "kimiApiKey",
      says: /secret that is not set/,
      fix: /config set --secret --stack prod exai:kimiApiKey/,
    },
    {
      name: "a malformed URL",
      values: { ...PROD, productionUrl: "not a url" },
      key: "productionUrl",
      says: /is not a URL/,
    },
    {
      name: "a URL with a password",
      values: { ...PROD, productionUrl: "https://a:b@example.com" },
      key: "productionUrl",
      says: /password/,
    },
    {
      name: "a URL of another scheme",
      values: { ...PROD, productionUrl: "ftp://example.com" },
      key: "productionUrl",
      says: /must be https: or http:/,
    },
    {
      name: "http in prod",
      values: { ...PROD, productionUrl: "http://exai.example.com" },
      key: "productionUrl",
      says: /http: in prod/,
    },
    {
      name: "a port that is not a number",
      stack: "local",
      values: { httpPort: "80a" },
      key: "httpPort",
      says: /whole number from 1 to 65535/,
    },
    { name: "a port out of range", stack: "local", values: { httpPort: "70000" }, key: "httpPort", says: /1 to 65535/ },
    { name: "a privileged port", stack: "local", values: { httpPort: "80" }, key: "httpPort", says: /privileged/ },
    {
      name: "equal ports",
      stack: "local",
      values: { prometheusPort: "8080" },
      key: "prometheusPort",
      says: /same as exai:httpPort/,
      fix: /^set exai:prometheusPort: "8081" in Pulumi\.local\.yaml$/,
    },
    {
      name: "the WebSocket port on the HTTP port",
      values: { ...PROD, wsPort: "8080" },
      key: "wsPort",
      says: /8080, the port of HTTP/,
    },
    {
      name: "the WebSocket port on the port of event streams",
      values: { ...PROD, wsPort: "8078" },
      key: "wsPort",
      says: /8078, the port of stream requests/,
    },
    {
      name: "a short JWT secret",
      values: { ...PROD, jwtSecret: "x".repeat(31) },
      key: "jwtSecret",
      says: /shorter than 32 bytes/,
      fix: /openssl rand/,
    },
    {
      name: "a previous JWT secret like the current one",
      values: { ...PROD, jwtSecret: SECRET, jwtSecretPrevious: SECRET },
      key: "jwtSecretPrevious",
      says: /same key/,
    },
    {
      name: "a Slack webhook in plain text",
      values: { ...PROD, rolloutSlackWebhook: "http://hooks.slack.com/services/x" },
      key: "rolloutSlackWebhook",
      says: /http: to another machine/,
      fix: /config set --secret --stack prod exai:rolloutSlackWebhook/,
    },
    {
      name: "a PagerDuty key of another length",
      values: { ...PROD, rolloutPagerdutyKey: "short" },
      key: "rolloutPagerdutyKey",
      says: /32 characters/,
    },
    {
      name: "a PagerDuty ruleset's key",
      values: { ...PROD, rolloutPagerdutyKey: `R${"0".repeat(31)}` },
      key: "rolloutPagerdutyKey",
      says: /no change events/,
    },
    {
      name: "a webhook without a key to sign with",
      values: { ...PROD, rolloutWebhook: "https://example.com/hook" },
      key: "rolloutWebhookSecret",
      says: /nothing unsigned/,
      fix: /whsec_\$\(openssl rand -base64 32\)/,
    },
    {
      name: "a signing key that is too short",
      values: { ...PROD, rolloutWebhookSecret: "whsec_c2hvcnQ=" },
      key: "rolloutWebhookSecret",
      says: /24 to 64 bytes/,
    },
    {
      name: "an image without digest in prod",
      values: { ...PROD, image: "ghcr.io/org/exai:1.0" },
      key: "image",
      says: /no digest/,
      fix: /exai:image "\$\(docker buildx/,
    },
    {
      name: "an image without digest in staging",
      stack: "staging",
      values: { ...PROD, image: "ghcr.io/org/exai:1.0" },
      key: "image",
      says: /no digest/,
    },
    {
      name: "a slot's image without digest",
      values: { ...PROD, greenImage: "ghcr.io/org/exai:1.0" },
      key: "greenImage",
      says: /no digest/,
    },
    { name: "no image and nothing to build", values: without(PROD, "image"), key: "image", says: /not set/ },
    {
      name: "a malformed image",
      stack: "local",
      values: { image: "UPPER case" },
      key: "image",
      says: /image reference/,
    },
    {
      name: "an unknown key",
      stack: "local",
      values: { httpprot: "8080" },
      key: "httpprot",
      says: /unknown key; did you mean exai:httpPort/,
      fix: /^remove exai:httpprot from Pulumi\.local\.yaml$/,
    },
    {
      name: "a time-out of zero",
      stack: "local",
      values: { kimiTimeout: "0" },
      key: "kimiTimeout",
      says: /1 to 3600 seconds/,
    },
    {
      name: "a time-out over an hour",
      stack: "local",
      values: { kimiTimeout: "3601" },
      key: "kimiTimeout",
      says: /1 to 3600 seconds/,
    },
    {
      name: "a simple time-out over the workflow's",
      stack: "local",
      values: { simpleToolTimeout: "200" },
      key: "simpleToolTimeout",
      says: /longer than exai:workflowToolTimeout/,
    },
    {
      name: "retention under a week",
      stack: "local",
      values: { dailyRetentionDays: "6" },
      key: "dailyRetentionDays",
      says: /7 to 90 days/,
    },
    {
      name: "retention over 90 days",
      stack: "local",
      values: { weeklyRetentionDays: "91" },
      key: "weeklyRetentionDays",
      says: /7 to 90 days/,
    },
    {
      name: "an unknown time zone",
      stack: "local",
      values: { backupTimeZone: "Mars/Base" },
      key: "backupTimeZone",
      says: /IANA/,
    },
    {
      name: "a boolean that is none",
      stack: "local",
      values: { grafana: "yes" },
      key: "grafana",
      says: /neither true nor false/,
    },
    {
      name: "a build without a repository",
      values: { ...PROD, buildContext: "../server" },
      key: "buildRepository",
      says: /go together/,
    },
    {
      name: "a certificate that is none",
      values: { ...PROD, databaseCa: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" },
      key: "databaseCa",
      says: /certificates in PEM/,
    },
    {
      name: "a path in the place of a certificate",
      values: { ...PROD, databaseCa: "prod-ca-2021.crt" },
      key: "databaseCa",
      says: /certificates in PEM/,
    },
    {
      name: "a stack that is not an environment",
      stack: "demo",
      values: {},
      key: "environment",
      says: /is not an environment/,
    },
  ];

  it.each(cases)("$name", ({ stack = "prod", values, key, says, fix }) => {
    const refused = refusals(stack, values).get(`exai:${key}`);
    expect(refused?.message).toMatch(says);
    expect(String(refused?.fix)).toMatch(fix ?? new RegExp(`exai:${key}`));
    expect(refused?.exitCode).toBe(2);
  });

  const origins: readonly [string, string, Origin, RegExp][] = [
    ["local", "httpPort", "file", /^set exai:httpPort: "8080" in Pulumi\.local\.yaml$/],
    ["local", "httpPort", "typed", /^--set httpPort=8080$/],
    ["local", "httpPort", "recorded", /^exai up --set httpPort=8080$/],
    ["local", "jwtSecret", "file", /^set exai:jwtSecret in Pulumi\.local\.yaml to the output of: echo "\$\(openssl/],
    ["local", "rolloutAnswer", "file", /^remove exai:rolloutAnswer from Pulumi\.local\.yaml$/],
    ["local", "rolloutAnswer", "typed", /^omit --set rolloutAnswer$/],
    ["local", "rolloutAnswer", "recorded", /^exai up --set rolloutAnswer=$/],
    ["prod", "kimiTimeout", "file", /^pulumi config set --stack prod exai:kimiTimeout "\d+"$/],
    ["prod", "jwtSecret", "file", /^pulumi config set --secret --stack prod exai:jwtSecret "\$\(openssl/],
    ["prod", "kimiTimeout", "typed", /^--set kimiTimeout=\d+$/],
    ["prod", "rolloutAnswer", "file", /^pulumi config rm --stack prod exai:rolloutAnswer$/],
  ];

  it.each(origins)("%s: the fix of %s fits a value that is %s", (stack, key, origin, fix) => {
    const values = { ...(stack === "prod" ? PROD : {}), [key]: "?" };
    const source = plainSource(values, { origins: { [key]: origin } });
    let thrown: unknown;
    try {
      parseSettings(stack, source);
    } catch (error) {
      thrown = error;
    }
    const refused = (thrown as UserErrors).errors.find(({ where }) => where === `exai:${key}`);
    expect(String(refused?.fix)).toMatch(fix);
  });

  it("names no command of the engine for a stack on this machine", () => {
    const values = Object.fromEntries(Object.keys(SETTINGS).map((key) => [key, "\u0000"]));
    for (const error of refusals("local", { ...values, environment: "local" }).values())
      expect(String(error.fix), error.where).not.toMatch(/pulumi config/);
  });

  it("names every refused key in one run", () => {
    expect([...refusals("local", { httpPort: "x", kimiTimeout: "0", nope: "1" }).keys()].sort()).toEqual([
      "exai:httpPort",
      "exai:kimiTimeout",
      "exai:nope",
    ]);
  });

  it("never repeats a refused secret", () => {
    const secret = "hunter2hunter2";
    for (const error of refusals("prod", { ...PROD, jwtSecret: secret }).values())
      expect(error.render()).not.toContain(secret);
  });

  it.each(Object.entries(SETTINGS as Record<string, Setting>).filter(([, setting]) => setting.required !== undefined))(
    "prod and staging without %s",
    (key) => {
      for (const stack of ["staging", "prod"])
        expect([...refusals(stack, without(PROD, key)).keys()]).toContain(`exai:${key}`);
    },
  );
});

describe("the table of settings", () => {
  const entries = Object.entries(SETTINGS as Record<string, Setting>);
  const declared = (
    parse(readFileSync(new URL("../../Pulumi.yaml", import.meta.url), "utf8")) as {
      config: Record<string, { type: string; description: string; default: unknown }>;
    }
  ).config;

  it.each(entries)("%s has defaults and a description that hold", (_key, setting) => {
    expect(setting.about.length).toBeGreaterThan(5);
    for (const environment of ["local", "staging", "prod"] as const) {
      const fallback = fallbackOf(setting, environment);
      if (fallback !== undefined) expect(setting.check.safeParse(fallback).error?.issues).toBeUndefined();
    }
  });

  it("is what Pulumi.yaml declares, secrets aside", () => {
    expect(Object.keys(declared)).toEqual(
      entries.filter(([, setting]) => setting.secret !== true).map(([key]) => `exai:${key}`),
    );
    for (const [key, setting] of entries) {
      const declaration = declared[`exai:${key}`];
      if (declaration === undefined) continue;
      expect(declaration.description).toBe(setting.about);
      // Anything that differs per environment is declared as not set.
      expect(String(declaration.default), key).toBe(typeof setting.fallback === "string" ? setting.fallback : "");
    }
  });
});

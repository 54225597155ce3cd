import { generateKeyPairSync, randomBytes, type KeyObject } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { credentialIn } from "../../contract/secrets/credentials.ts";
import { Secret, Unknown, type Inputs, type Resource } from "../../contract/graph.ts";
import { RULES } from "../../policies/rules/index.ts";
import { DOCKER, outcome, resource, soundDocker, soundPodSpec } from "./support.ts";

// cspell:ignore ehpk gezdgnbv jbswy kabcdef klmnopqrstuvwxyz lkifbegrcfizduqskkgaytemzugu otpauth totp
// cspell:ignore tqojqmfrggzdfmztwq tskey uhaxzqgezdgnbvgy

const judged = (name: string, ...resources: readonly Resource[]) => {
  const rule = RULES.find((each) => each.name === name);
  if (rule === undefined) throw new Error(`there is no rule ${name}`);
  return outcome(rule, "prod", ...resources);
};
const found = (name: string, ...resources: readonly Resource[]) =>
  judged(name, ...resources).findings.map(({ place }) => place.path);

const TOKEN = ["ghp", "0123456789abcdefghijABCDEFGHIJ012345"].join("_");
const URL_WITH_PASSWORD = "postgres://admin:Tr0ub4dor@db.example.com/prod";
const base64 = (text: string | Buffer) => Buffer.from(text).toString("base64");

const HEX = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const token = (claims: object) =>
  ['{"alg":"HS256"}', JSON.stringify(claims), "signature-of-32-bytes-or-more"]
    .map((part) => Buffer.from(part).toString("base64url"))
    .join(".");
const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
const signing = generateKeyPairSync("ed25519");
const jwk = (key: KeyObject) => JSON.stringify({ keys: [key.export({ format: "jwk" })] });
const der = (key: KeyObject, type: "pkcs8" | "spki") => base64(key.export({ type, format: "der" }));
/** Random bytes in the frame of a certificate; nothing parses them. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----\n${base64(randomBytes(240)).replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;

const turned = (text: string) => Array.from(text).reverse().join("");
const SUPABASE = ["sbp", HEX + "a1b2c3d4"].join("_");
const codes = (base: number, width: number) =>
  Array.from(TOKEN).map((letter) => letter.charCodeAt(0).toString(base).padStart(width, "0"));
/** Seeds of one-time passwords in base32. */
const SEED = ["JBSWY3DP", "EHPK3PXP"].join("");

describe("a credential", () => {
  it.each<[string, string]>([
    ["DB_PASS", "hunter2-prod"],
    ["PASSWORD", "/Sup3rSecretValue"],
    ["PASSWORD", "12345678"],
    ["CLIENT_SECRET_V2", "correct-horse-battery-staple"],
    ["ADMIN_PASSWORD_NAME", "hunter2-of-prod"],
    ["ADMIN_PASSWORD_FILE", "hunter2-of-prod"],
    ["clientSecretProd", "correct-horse"],
    ["ADMIN_KEY", "correct-horse"],
    ["Authorization", "Basic YWRtaW46aHVudGVyMg=="],
    ["X-Api-Key", "correct-horse"],
    ["PASSWORD", "${DB_PASSWORD:-hunter2}"],
    ["A", base64(URL_WITH_PASSWORD)],
    ["A", base64(base64(URL_WITH_PASSWORD))],
    ["A", Buffer.from(URL_WITH_PASSWORD).toString("hex")],
    ["A", encodeURIComponent(URL_WITH_PASSWORD)],
    ["A", base64(gzipSync(URL_WITH_PASSWORD))],
    ["A", turned(TOKEN)],
    ["A", `x = ${turned(SUPABASE)}`],
    [
      "A",
      TOKEN.replaceAll(/[a-z]/gi, (c) =>
        String.fromCharCode(((c.toLowerCase().charCodeAt(0) - 84) % 26) + (c < "a" ? 65 : 97)),
      ),
    ],
    ["A", SEED],
    ["A", SEED.replaceAll(/.{4}(?=.)/g, "$& ")],
    ["TOTP_SEED", "GEZDGNBV"],
    ["A", `otpauth://totp/a:b@example.com?secret=${SEED}&issuer=a`],
    ["A", "M5UHAXZQGEZDGNBVGY3TQOJQMFRGGZDFMZTWQ2LKIFBEGRCFIZDUQSKKGAYTEMZUGU======"],
    [
      "A",
      codes(10, 1)
        .map((code) => `&#${code};`)
        .join(""),
    ],
    [
      "A",
      `printf '${codes(8, 3)
        .map((code) => `\\${code}`)
        .join("")}'`,
    ],
    ["A", codes(16, 2).join(":")],
    ["A", `[${codes(10, 1).join(", ")}]`],
    ["A", TOKEN.replace("_", "=5F")],
    ["A", `curl -H "Authorization: Bearer ${TOKEN.slice(0, 4)}""${TOKEN.slice(4)}" https://example.com`],
    ["A", ["lin", "api", "abcdefghij0123456789klmnopqrstuvwxyz4567"].join("_")],
    ["A", ["tskey", "auth", "kabcdefCNTRL", "0123456789abcdefghijklmnop"].join("-")],
    ["A", JSON.stringify(JSON.stringify({ password: "hunter2" }))],
    ["A", `line\npassword: hunter2-prod\nother: 1\n`],
    ["A", "PGPASSWORD=hunter2 psql"],
    ["A", "PGPASSWORD=swordfish psql"],
    ["A", "host=db user=app password='s3cret'"],
    ["A", "--api-key=abc123def"],
    ["A", `Bearer ${TOKEN}`],
    ["providers.json", `{"glm":"${HEX}.Zk3mQ9rT7vXy2LpW"}`],
    ["A", ["sk", "kimi1234".repeat(6)].join("-")],
    ["A", ["sk", "ant", "api03", "aB3_-".repeat(19)].join("-")],
    ["A", ["sb", "secret", "aB3xY9kQ2mP7zL5v"].join("_")],
    ["A", token({ role: "service_role", iss: "supabase" })],
    ["A", base64(["xoxb", "1234567890", "abcdef"].join("-"))],
    ["A", der(keys.privateKey, "pkcs8")],
    ["A", der(signing.privateKey, "pkcs8")],
    ["A", jwk(keys.privateKey)],
    ["A", `{"kty":"oct","k":"${base64("a symmetric key")}"}`],
    ["A", "curl -u admin:hunter2-x https://example.com"],
    ["A", "redis-cli -a hunter2-x ping"],
    ["A", `curl -H 'Authorization: Basic ${base64("admin:hunter2")}' https://example.com`],
    ["config.yaml", "database:\n  password: correct-horse\n"],
    [".dockerconfigjson", `{"auths":{"ghcr.io":{"auth":"${base64("user:hunter2")}"}}}`],
    ["A", base64(Buffer.from("password='hunter2x'", "utf16le"))],
    ["A", base64("naïve\npassword: hunter2x\n")],
    ["A", "x8!Gk#2pQz$7Lm@4Rt&9Wv"],
    ["DB_ROOTPASS", "admin:hunter2-x"],
    ["A", "https://api.example.com/hook?access_token=hunter2hunter2"],
    ["A", `https://b.s3.amazonaws.com/x?X-Amz-Expires=60&X-Amz-Signature=${HEX.repeat(2)}`],
    ["A", '<add key="Password" value="hunter2-x"/>'],
    ["A", "<client><secret>hunter2-x</secret></client>"],
    [".pgpass", "db.example.com:5432:prod:admin:hunter2-x\n"],
    [".npmrc", "//registry.npmjs.org/:_authToken=hunter2hunter2"],
    ["config", "users:\n- name: a\n  user:\n    token: hunter2hunter2\n"],
    ["A", "database:\n  password: >-\n    hunter2-x\n"],
    ["users", `admin:$2y$10$${"abcdefghijABCDEFGHIJ0".repeat(3).slice(0, 53)}`],
    ["requirepass", "hunter2-x"],
    ["A", randomBytes(32).toString("hex")],
    ["settings.toml", `[a]\nb = "${base64(randomBytes(30))}"`],
  ])("%s=%s is found", (name, value) => {
    expect(credentialIn(value, name)).toBeDefined();
  });

  it.each<[string, string]>([
    ["TOKEN_TYPE", "Bearer"],
    ["A", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"],
    ["A", "ORDER2026A7B4C2D6"],
    ["A", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:ECDHE-ECDSA-AES256-GCM-SHA384"],
    ["TAG", `main-${HEX}a1b2c3d4`],
    ["A", "10, 25, 50, 75, 100, 250, 500, 750, 100, 250, 500, 750, 900"],
    ["RANDOM_SEED", "1234567"],
    ["A", "a0:b1:c2:d3:e4:f5"],
    ["MAX_TOKENS", "4096"],
    ["PASSWORD_POLICY", "strict"],
    ["PASSWORD_FILE", "/run/secrets/exai/password"],
    ["PASSWORD_FILE", "password.txt"],
    ["TOKEN_URL", "https://id.example.com/token"],
    ["SECRET_NAME", "server-blue-secrets"],
    ["PUBLIC_KEY", "ssh-ed25519"],
    ["SORT_KEY", "created_at"],
    ["PASSWORD", "${DB_PASSWORD}"],
    ["PASSWORD", "<your password>"],
    ["BYPASS", "all-of-them"],
    ["PWD", "/app"],
    ["COMPASS", "north-by-north-west"],
    ["PROXY", "server:8080:a:b"],
    ["A", '<key name="token" value="12"/>'],
    ["A", "https://example.com/?token_type=bearer&page=2"],
    ["RULE", 'sum by (le) (rate(exai_http_request_duration_seconds_bucket{job="server",token_kind="a"}[5m]))'],
    ["CODE", 'local token = headers:get("authorization")\nif token == nil then return end'],
    ["SQL", "update users set password = new.password where token_hash = old.token_hash"],
    ["PEM", "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ2\n-----END CERTIFICATE-----"],
    ["DIGEST", `sha256:${"0123456789abcdef".repeat(4)}`],
    ["A", CERTIFICATE],
    ["A", base64(CERTIFICATE)],
    ["A", der(keys.publicKey, "spki")],
    ["A", der(signing.publicKey, "spki")],
    ["jwks.json", jwk(keys.publicKey)],
    ["A", `ssh-ed25519 AAAA${base64(randomBytes(48))} me@example.com`],
    ["WG_PUBLIC_KEY", base64(randomBytes(32))],
    ["GIT_COMMIT", `${HEX}a1b2c3d4`],
    ["A", `actions/checkout@${HEX}a1b2c3d4`],
    ["checksum/config", HEX.repeat(2)],
    ["SUMS", `${HEX}${HEX}  file.tar.gz`],
    ["A", `sha384-${base64(randomBytes(48))}`],
    ["SUPABASE_ANON_KEY", token({ role: "anon", iss: "supabase" })],
    ["SUPABASE_KEY", ["sb", "publishable", "aB3xY9kQ2mP7zL5vQQQQ22", "aB3xY9kQ"].join("_")],
    ["password", base64(Buffer.concat([Buffer.from([2, 0]), randomBytes(560)]))],
    ["password", "ENC[AES256_GCM,data:p673w==,iv:YY=,tag:A==,type:str]"],
    ["token", "vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w=="],
    ["CLASS", ["sk", "loading-indicator-container-large"].join("-")],
    ["A", "docker run --user 10001:10001 image"],
    ["A", "curl -u $USER:$PASSWORD https://example.com"],
    ["auth.yaml", "auth:\n  passwordFile: /run/secrets/a\n  secretName: my-secret\n  secret: other-secret\n"],
    ["PROSE", "The password: it is generated, and the token is rotated by `secrets rotate`."],
  ])("%s=%s is none", (name, value) => {
    expect(credentialIn(value, name)).toBeUndefined();
  });

  it("is found in every string of every resource", () => {
    const pod = (container: Inputs) =>
      resource("kubernetes:core/v1:Pod", {
        metadata: { namespace: "exai" },
        spec: { ...soundPodSpec(), containers: [{ name: "a", ...container }] },
      });
    const headers = { httpGet: { httpHeaders: [{ name: "Authorization", value: "Bearer sk-live-abcdefghijkl" }] } };
    for (const container of [
      { livenessProbe: headers },
      { lifecycle: { postStart: { exec: { command: ["login", "--token", "s3cr3t-value"] } } } },
      { args: ["--token", "s3cr3t-value"] },
      { command: ["sh", "-c", "PGPASSWORD=hunter2 psql"] },
      { command: ["mysql", "-u", "root", "-pS3cret-x"] },
      { livenessProbe: { exec: { command: ["redis-cli", "-a", "hunter2x", "ping"] } } },
      { args: ["curl", "-u", "admin:hunter2x", "https://example.com"] },
      { workingDir: `/tmp/${TOKEN}` },
    ] satisfies Inputs[])
      expect(found("secret-literals", pod(container)), JSON.stringify(container)).toHaveLength(1);
    const docker = (more: Inputs) => resource(DOCKER, { ...soundDocker(), ...more });
    for (const more of [
      { logOpts: { "splunk-token": "s3cr3t-value" } },
      { uploads: [{ file: "/a", contentBase64: base64(URL_WITH_PASSWORD) }] },
      { healthcheck: { tests: ["CMD", "curl", "--header", `Authorization: Bearer ${TOKEN}`] } },
      { labels: [{ label: "token", value: "s3cr3t-value" }] },
    ] satisfies Inputs[])
      expect(found("secret-literals", docker(more)), JSON.stringify(more)).toHaveLength(1);
    const custom = resource("kubernetes:example.com/v1:Thing", { spec: { auth: { password: "hunter2" } } });
    expect(found("secret-literals", custom)).toEqual(["spec.auth.password"]);
    const reference = resource("kubernetes:example.com/v1:Thing", { spec: { auth: { secret: "name-of-a-secret" } } });
    expect(found("secret-literals", reference)).toEqual([]);
  });
});

describe("a value that is marked secret", () => {
  const secret = new Secret("x");
  it("may be in the data of a Secret and in files alone", () => {
    expect(found("secret-places", resource("kubernetes:core/v1:Secret", { stringData: { a: secret } }))).toEqual([]);
    const docker = { ...soundDocker(), uploads: [{ file: "/run/secrets/exai/a", content: secret }] };
    expect(found("secret-places", resource(DOCKER, docker))).toEqual([]);
    for (const [type, inputs] of [
      ["kubernetes:core/v1:ConfigMap", { data: { a: secret } }],
      ["kubernetes:core/v1:Secret", { metadata: { annotations: { a: secret } } }],
      ["kubernetes:example.com/v1:Thing", { spec: { a: new Secret(new Unknown("a")) } }],
      [DOCKER, { ...soundDocker(), labels: [{ label: "a", value: secret }] }],
      [DOCKER, { ...soundDocker(), command: [secret] }],
    ] satisfies [string, Inputs][])
      expect(found("secret-places", resource(type, inputs)), type).toHaveLength(1);
  });
});

describe("a generated secret", () => {
  const password = (inputs: Inputs) => resource("random:index/randomPassword:RandomPassword", inputs);
  it.each<readonly [inputs: Inputs, findings: number]>([
    [{ length: 48, special: false }, 0],
    [{ length: 16 }, 0],
    [{ length: 4, special: false }, 1],
    [{ length: 16, upper: false, lower: false, special: false }, 1],
    [{ length: 32, lower: false, upper: false, numeric: false, overrideSpecial: "!" }, 1],
    [{ length: 40, upper: false, lower: false, special: false }, 0],
  ])("of %j has %i findings", (inputs, findings) => {
    expect(found("secret-strength", password(inputs))).toHaveLength(findings);
  });

  it("does not come from a generator whose results are public", () => {
    const generator = (type: string) => resource(type, { length: 64 }, { name: "g", urn: "urn:g" });
    const stored = (): Resource => ({
      ...resource("kubernetes:core/v1:Secret", { stringData: new Secret(new Unknown("x")) }),
      propertyDependencies: { stringData: ["urn:g"] },
    });
    expect(found("secret-strength", generator("random:index/randomString:RandomString"), stored())).toEqual([
      "stringData",
    ]);
    expect(found("secret-strength", generator("random:index/randomPet:RandomPet"), stored())).toEqual(["stringData"]);
    expect(found("secret-strength", generator("random:index/randomPassword:RandomPassword"), stored())).toEqual([]);
  });

  it("is protected together with the data that it opens", () => {
    const options = { protect: true, ignoreChanges: [], deleteBeforeReplace: false, additionalSecretOutputs: [] };
    const claim = resource("kubernetes:core/v1:PersistentVolumeClaim", {}, { options });
    const secrets = resource("exai:secrets:GeneratedSecrets", { opensNoData: ["access"] }, { name: "g", urn: "urn:g" });
    const generated = (name: string, protect: boolean, parent?: string) =>
      resource(
        "random:index/randomPassword:RandomPassword",
        {},
        {
          ...{ name, urn: `urn:${name}`, options: { ...options, protect } },
          ...(parent === undefined ? {} : { parent }),
        },
      );
    const unprotected = (...resources: readonly Resource[]) => judged("protected-keys", ...resources).findings.length;
    expect(unprotected(claim, secrets, generated("g-backups", false, "urn:g"))).toBe(1);
    expect(unprotected(claim, secrets, generated("g-backups", true, "urn:g"))).toBe(0);
    expect(unprotected(claim, secrets, generated("g-access", false, "urn:g"))).toBe(0);
    expect(unprotected(secrets, generated("g-backups", false, "urn:g"))).toBe(0);
    const project: Resource = {
      ...resource("supabase:index/project:Project", {}, { options }),
      propertyDependencies: { databasePassword: ["urn:owner"] },
    };
    expect(unprotected(project, generated("owner", false))).toBe(1);
    expect(unprotected(project, generated("other", false))).toBe(0);
  });

  it("is marked, and so is a private key", () => {
    expect(found("secret-marks", resource("tls:index/privateKey:PrivateKey", { algorithm: "ED25519" }))).toHaveLength(
      3,
    );
    const rsa = (rsaBits: number) => resource("tls:index/privateKey:PrivateKey", { algorithm: "RSA", rsaBits });
    expect(found("secret-strength", rsa(1024))).toHaveLength(1);
    expect(found("secret-strength", rsa(3072))).toEqual([]);
  });
});

describe("the service-role key", () => {
  const holder = resource("kubernetes:core/v1:Secret", {
    metadata: { name: "keys" },
    stringData: { "supabase-service-role-key": new Secret("x") },
  });
  const other = resource("kubernetes:core/v1:Secret", {
    metadata: { name: "plain" },
    stringData: { a: new Secret("x") },
  });
  const pod = (spec: Inputs, component = "grafana") =>
    resource("kubernetes:core/v1:Pod", {
      metadata: { namespace: "exai", labels: { "exai.component": component } },
      spec: { ...soundPodSpec(), ...spec },
    });
  const volume = (source: Inputs): Inputs => ({ volumes: [{ name: "s", ...source }] });
  const container = (more: Inputs): Inputs => ({ containers: [{ name: "a", ...more }] });

  it.each<readonly [road: string, spec: Inputs]>([
    ["the whole Secret", volume({ secret: { secretName: "keys" } })],
    ["an item", volume({ secret: { secretName: "keys", items: [{ key: "supabase-service-role-key", path: "k" }] } })],
    ["a projected volume", volume({ projected: { sources: [{ secret: { name: "keys" } }] } })],
    [
      "a variable",
      container({ env: [{ name: "K", valueFrom: { secretKeyRef: { name: "keys", key: "service_role" } } }] }),
    ],
    ["all variables", container({ envFrom: [{ secretRef: { name: "keys" } }] })],
    ["a Secret that the stack does not declare", volume({ secret: { secretName: "server-secrets" } })],
  ])("does not reach another component by %s", (_, spec) => {
    expect(found("service-role-key", holder, pod(spec))).toHaveLength(1);
    expect(found("service-role-key", holder, pod(spec, "server"))).toEqual([]);
  });

  it("is not in another Secret", () => {
    expect(found("service-role-key", holder, other, pod(volume({ secret: { secretName: "plain" } })))).toEqual([]);
  });

  it("does not reach an edge function under another name", () => {
    const secrets = (name: string) =>
      resource("supabase:index/edgeFunctionSecrets:EdgeFunctionSecrets", {
        secrets: [{ name, value: new Secret("x") }],
      });
    for (const name of ["ADMIN_KEY", "DATABASE_URL", "SB_SECRET", "ROOT_TOKEN"])
      expect(found("service-role-key", secrets(name)), name).toHaveLength(1);
    for (const name of ["EXAI_JWT_TOKEN", "EXAI_ALLOWED_ORIGINS"])
      expect(found("service-role-key", secrets(name)), name).toEqual([]);
  });
});

describe("the settings of the Supabase project", () => {
  it.each<readonly [section: string, content: Inputs, findings: number]>([
    ["api", { db_schema: "public,graphql_public", db_extra_search_path: "public,extensions", max_rows: 1000 }, 0],
    ["api", { db_schema: "public,auth,exai,storage" }, 1],
    ["api", { db_extra_search_path: "public,vault" }, 1],
    ["api", { max_rows: 0 }, 1],
    ["auth", { site_url: "https://exai.example.com" }, 0],
    ["auth", { site_url: "http://exai.example.com", uri_allow_list: "https://*" }, 2],
    ["auth", { mailer_autoconfirm: true, password_min_length: 6, jwt_exp: 604_800 }, 3],
    ["auth", { mailer_autoconfirm: "true" }, 1],
    ["auth", { sms_autoconfirm: true, refresh_token_rotation_enabled: false }, 2],
    ["auth", { uri_allow_list: "http://app.example.com/**" }, 1],
    ["auth", { uri_allow_list: "https://app.example.com/**,javascript://x" }, 1],
    ["auth", { uri_allow_list: "HTTP://app.example.com/**", site_url: "HTTPS://app.example.com" }, 1],
    ["auth", { sms_test_otp: "4152127777=123456" }, 1],
    ["auth", { sms_test_otp: "" }, 0],
    ["auth", { uri_allow_list: "https://app.example.com/**,exai://callback" }, 0],
    ["auth", { hook_send_email_uri: "http://mail.example.com" }, 1],
    ["auth", { hook_custom_access_token_uri: "pg-functions://postgres/public/hook" }, 0],
    ["database", { session_replication_role: "replica" }, 1],
    ["network", { dbAllowedCidrs: ["0.0.0.0/0"] }, 1],
    ["network", { restrictions: ["::ffff:0:0/96"] }, 1],
    ["network", { restrictions: ["203.0.113.0/24"] }, 0],
    ["network", { restrictions: ["0.0.0.0/0"] }, 1],
    ["network", { restrictions: ["0.0.0.0/1", "128.0.0.0/1"] }, 1],
  ])("%s %j has %i findings", (section, content, findings) => {
    const settings = resource("supabase:index/settings:Settings", { [section]: JSON.stringify(content) });
    expect(found("supabase-settings", settings)).toHaveLength(findings);
  });
});

describe("the options of Supabase's resources", () => {
  const edge = (more: Inputs) =>
    found(
      "supabase-options",
      resource("supabase:index/edgeFunction:EdgeFunction", {
        slug: "hello",
        projectRef: "abcdefghijklmnopqrst",
        entrypoint: "supabase/functions/hello/index.ts",
        ...more,
      }),
    );

  it("are those that the rules understand", () => {
    expect(edge({})).toEqual([]);
    expect(edge({ entrypoint: "/home/me/project/supabase/functions/hello/index.ts", verifyJwt: true })).toEqual([]);
    expect(edge({ verifyJwt: false })).toEqual(["verifyJwt"]);
    expect(edge({ entrypoint: "https://example.com/index.ts" })).toEqual(["entrypoint"]);
    expect(edge({ staticFiles: ["supabase/functions/../../.env"] })).toEqual(["staticFiles[0]"]);
    expect(edge({ anOptionOfNextYear: true })).toEqual(["anOptionOfNextYear"]);
    const provider = resource("pulumi:providers:supabase", { endpoint: "https://example.com" });
    expect(found("supabase-options", provider)).toEqual(["endpoint"]);
    const here = (endpoint: string) => found("supabase-options", resource("pulumi:providers:supabase", { endpoint }));
    expect(here("http://127.0.0.1:8080")).toEqual([]);
    expect(here("http://127.0.0.1.example.com")).toEqual(["endpoint"]);
  });
});

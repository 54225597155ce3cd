import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { Secret, TRACED_SERVICE_ROLE, type Inputs, type Resource, type ResourceGraph } from "../../contract/graph.ts";
import { Reader } from "../../policies/model/reader.ts";
import { textsOf } from "../../policies/reading/secret-traces.ts";
import { RULES } from "../../policies/rules/index.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { captureTraced } from "../../synth/traced.ts";
import { graph, outcomeIn, resource } from "./support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const VALUE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

const judged = (name: string, whole: ResourceGraph) => {
  const rule = RULES.find((each) => each.name === name);
  if (rule === undefined) throw new Error(`there is no rule ${name}`);
  return outcomeIn(rule, whole);
};
const paths = (name: string, whole: ResourceGraph) => judged(name, whole).findings.map(({ place }) => place.path);

const configMap = (data: Inputs, extra: Partial<Resource> = {}) =>
  resource("kubernetes:core/v1:ConfigMap", { metadata: { name: "m" }, data }, extra);
const base64 = (text: string | Buffer) => Buffer.from(text).toString("base64");

/** A graph whose traced run has other resources, with one secret. */
const traced = (resources: readonly Resource[], outputs: Inputs = {}, name = "exai:kimiApiKey"): ResourceGraph => ({
  ...graph("prod", configMap({ independent: VALUE.slice(0, 12) })),
  traced: { resources, outputs, secrets: [{ name, value: VALUE }] },
});

describe("a made-up secret of the traced run", () => {
  it.each([
    ["unchanged", VALUE],
    ["inside of a text", `{"key":"${VALUE}"}`],
    ["in part", VALUE.slice(3, 25)],
    ["in upper case", VALUE.toUpperCase()],
    ["in base64, at any place", base64(`a${VALUE}b`)],
    ["in base64 after a prefix", `key-${base64(VALUE)}`],
    ["in hexadecimal digits", Buffer.from(VALUE).toString("hex")],
    ["in base64 of base64", base64(base64(VALUE))],
    ["compressed", base64(gzipSync(`{"a":"${VALUE}"}`))],
    ["with escapes of a URL", VALUE.replace(/./g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)],
  ])("is found %s", (_, text) => {
    expect(paths("secret-flow", traced([configMap({ a: "none", b: text })]))).toEqual(["data.b"]);
  });

  it("is found as a key, in the name of a resource and in an output, and its value is in no message", () => {
    expect(paths("secret-flow", traced([configMap({ [VALUE]: "1" })]))).toEqual(["data"]);
    expect(paths("secret-flow", traced([configMap({}, { name: `map-${VALUE}` })]))).toEqual([""]);
    const { findings } = judged("secret-flow", traced([], { a: { b: VALUE } }));
    expect(findings.map(({ place }) => place.object)).toEqual(["output a.b"]);
    expect(JSON.stringify(findings)).not.toContain(VALUE.slice(0, 12));
  });

  it("is not found where it is marked, in a hash, or in a text that the program makes without it", () => {
    const marked = configMap({ a: new Secret(VALUE), independent: VALUE.slice(0, 12) });
    expect(paths("secret-flow", traced([marked, configMap({ digest: "5d9f0c1e8a344c1e" })]))).toEqual([]);
  });

  it("makes the rule inconclusive if the program does not run with it", () => {
    const broken = { ...graph("prod", configMap({})), traced: new Error("the key is not accepted") };
    expect(judged("secret-flow", broken).inconclusive).toContain("the key is not accepted");
  });
});

describe("a secret whose value the engine knows", () => {
  const holder = (key: string, value: string) =>
    resource("kubernetes:core/v1:Secret", { metadata: { name: "s" }, stringData: { [key]: new Secret(value) } });

  it("is found in other resources, if it is one", () => {
    const leaks = (key: string, value: string, text: string) =>
      paths("secret-flow", graph("prod", holder(key, value), configMap({ a: text })));
    expect(leaks("password", "correct-horse-battery", "user:correct-horse-battery")).toEqual(["data.a"]);
    expect(leaks("token", VALUE, base64(`x ${VALUE}`))).toEqual(["data.a"]);
    const url = `postgresql://exai:${encodeURIComponent(`+${VALUE}`)}@db.abcdefghijklmnopqrst.example.com:6543/postgres`;
    expect(leaks("database-url", url, `+${VALUE}`)).toEqual(["data.a"]);
    expect(leaks("database-url", url, "https://abcdefghijklmnopqrst.example.com/postgresql")).toEqual([]);
    // Names of users, addresses and certificates are in Secrets, too.
    expect(leaks("username", "exai-monitoring", "exai-monitoring")).toEqual([]);
    expect(leaks("EXAI_ALLOWED_ORIGINS", "https://exai.example.com", "https://exai.example.com")).toEqual([]);
  });
});

describe("the service-role key", () => {
  const secret = (component: string) =>
    resource("kubernetes:core/v1:Secret", {
      metadata: { name: "s", labels: { "exai.component": component } },
      stringData: { theme: new Secret(VALUE) },
    });
  const functions = (value: string) =>
    resource("supabase:index/edgeFunctionSecrets:EdgeFunctionSecrets", {
      secrets: [{ name: "THEME", value: new Secret(value) }],
    });

  it("is found by its value in each resource of another component, under any name", () => {
    const found = (...resources: readonly Resource[]) => {
      const whole = traced(resources, {}, TRACED_SERVICE_ROLE);
      return paths("service-role-key", { ...whole, resources: [functions("the value of the first run")] });
    };
    expect(found(secret("grafana"), functions(VALUE))).toEqual(["stringData.theme", "secrets[0].value"]);
    expect(found(secret("server"))).toEqual([]);
  });
});

describe.each(["prod", "staging", "local"])("the stack %s", (stack) => {
  let whole: ResourceGraph;
  beforeAll(async () => {
    whole = await captureTraced(stack, stackFileSource(ROOT, stack, { defers: true }));
  });

  it("keeps its secrets, settings and generated ones, where they are marked", () => {
    if (whole.traced === undefined || whole.traced instanceof Error) throw new Error("it was not traced");
    const names = whole.traced.secrets.map(({ name }) => name);
    expect(names).toContain("result of generated-jwt");
    if (stack !== "local") expect(names).toEqual(expect.arrayContaining(["exai:kimiApiKey", TRACED_SERVICE_ROLE]));
    // The check is not empty: the values reach the resources. The project of staging is made by the engine, so the server's URL of
    // its database is unknown here, and with it the whole Secret.
    const reaching = stack === "staging" ? /generated-jwt/ : /^exai:kimi|generated-jwt/;
    const texts = whole.traced.resources.flatMap(({ inputs }) => [...textsOf(Reader.of(inputs))]);
    for (const { name, value } of whole.traced.secrets)
      if (reaching.test(name))
        expect(
          texts.some(({ text, secret }) => secret && text.includes(value)),
          name,
        ).toBe(true);
    for (const rule of ["secret-flow", "service-role-key"]) {
      const { findings, inconclusive } = judged(rule, whole);
      expect([findings, inconclusive]).toEqual([[], undefined]);
    }
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { Secret, Unknown, type Resource, type ResourceGraph, type Value } from "../../contract/graph.ts";
import { UserError } from "../../contract/errors.ts";
import { plainSource } from "../../stacks/settings/source.ts";
import { capture } from "../../synth/capture.ts";
import { manifests, manifestYaml, PLACEHOLDER, type Manifest } from "../../synth/manifests.ts";
import { PROD_SETTINGS } from "../support/prod-settings.ts";

const SETTINGS = { ...PROD_SETTINGS, jwtSecret: "signing-key-of-the-test-0123456789abcdef" };

/** A self-signed root, valid until 2126. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBiDCCAS2gAwIBAgIUbjaPyw6xvNfJl0Cgx42z2cgBybowCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNU3VwYWJhc2UgUm9vdDAgFw0yNjExMjMyMTE4MDNaGA8yMTI2
MTAzMDIxMTgwM1owGDEWMBQGA1UEAwwNU3VwYWJhc2UgUm9vdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABBabYo2iaQv9OBx4Gs1fy4Yi4hjTcT62RmLvA3jeZs6P
/k4ZjsWxq93wuqAYIJj0MiOK6EAAgWe0IKm6C4JLYtejUzBRMB0GA1UdDgQWBBRQ
On8lsfsqOUlXRzsd2EAKT/E7XTAfBgNVHSMEGDAWgBRQOn8lsfsqOUlXRzsd2EAK
T/E7XTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQCf0RC8ZW1s
9kL8txN7nshHCTDru3A8blL2SihIOoWcHAIhAPcDQzb+ev0g81EHkYXCGnM6aSuE
vuYtUVBuW+z56UWn
-----END CERTIFICATE-----
`;

/** A graph of one Kubernetes object. */
function graphOf(type: string, inputs: Record<string, Value>, name = "thing"): ResourceGraph {
  const resource: Resource = {
    urn: `urn:pulumi:test::exai::${type}::${name}`,
    type,
    name,
    custom: true,
    inputs,
    dependencies: [],
    propertyDependencies: {},
    options: { protect: false, ignoreChanges: [], deleteBeforeReplace: false, additionalSecretOutputs: [] },
  };
  return { project: "exai", stack: "test", resources: [resource], outputs: {} };
}

describe.each(["staging", "prod"] as const)("the manifests of %s", (stack) => {
  let graph: ResourceGraph;
  let list: readonly Manifest[];
  let yaml: string;
  beforeAll(async () => {
    graph = await capture(stack, plainSource(SETTINGS));
    list = manifests(graph);
    yaml = manifestYaml(list);
  });

  it("are one for every Kubernetes object of the graph, and none for anything else", () => {
    const objects = graph.resources.filter(({ type }) => type.startsWith("kubernetes:"));
    expect(objects.length).toBeGreaterThan(20);
    expect(list).toHaveLength(objects.length);
    expect(new Set(list.map(({ id }) => id)).size).toBe(list.length);
  });

  it("are YAML whose documents have an apiVersion, a kind, a name and, but for the namespace, a namespace", () => {
    const documents = parseAllDocuments(yaml).map((document) => document.toJS() as Record<string, unknown> | null);
    const objects = documents.filter((document) => document !== null);
    expect(objects).toHaveLength(list.filter(({ object }) => object !== undefined).length);
    for (const { apiVersion, kind, metadata } of objects) {
      const { name, namespace } = metadata as Record<string, string>;
      expect([typeof apiVersion, typeof name]).toEqual(["string", "string"]);
      // Prometheus looks up the gateway's proxies in their own namespace; nothing else leaves the stack's.
      const gatewayRole = kind === "Role" || kind === "RoleBinding";
      if (kind !== "Namespace")
        expect(
          [`exai-${stack}`, ...(gatewayRole ? ["envoy-gateway-system"] : [])],
          `${String(kind)} ${name ?? ""}`,
        ).toContain(namespace);
    }
  });

  it("come in an order in which they can be applied", () => {
    const at = (kind: string) => list.findIndex(({ id }) => id.startsWith(`${kind}/`));
    const order = [
      "Namespace",
      "NetworkPolicy",
      "ServiceAccount",
      "Secret",
      "Service",
      "Deployment",
      "Gateway",
      "HTTPRoute",
    ];
    const positions = order.map(at);
    expect(positions).not.toContain(-1);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
  });

  it("contain no secret's value, and say which entries each Secret needs", () => {
    for (const [key, value] of Object.entries(SETTINGS))
      if (/ApiKey|Secret|Password|Token/.test(key)) expect(yaml, key).not.toContain(value);
    const note = list.find(({ id }) => id === `Secret/exai-${stack}/server-blue-secrets`)?.note;
    expect(note).toContain("--from-file=jwt-token=…");
    expect(note).toContain("--from-file=supabase-service-role-key=…");
  });

  it("name what only the engine knows", () => {
    const blue = list.find(({ id }) => id === `Deployment/exai-${stack}/server-blue`);
    expect(
      blue?.unknown.some((path) => /^spec\.template\.metadata\.annotations\.exai\.secrets-digest$/.test(path)),
    ).toBe(true);
    expect(yaml).toContain(PLACEHOLDER);
  });

  it("are the same each time", async () => {
    expect(manifestYaml(manifests(await capture(stack, plainSource(SETTINGS))))).toBe(yaml);
  });

  it("of platform, server and routing are as reviewed", async () => {
    const reviewed = list.filter(({ object }) => {
      const labels = (object as { metadata?: { labels?: Record<string, string> } } | undefined)?.metadata?.labels;
      return ["platform", "server", "router"].includes(labels?.["exai.component"] ?? "");
    });
    expect(reviewed.length).toBeGreaterThan(15);
    await expect(manifestYaml(reviewed)).toMatchFileSnapshot(`./snapshots/${stack}.yaml`);
  });
});

describe("rendering", () => {
  it("writes a Secret's values when asked to", () => {
    const graph = graphOf("kubernetes:core/v1:Secret", {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "keys", namespace: "test" },
      stringData: new Secret({ key: "content" }),
    });
    expect(manifests(graph)[0]?.object).toBeUndefined();
    expect(manifests(graph, { withSecrets: true })[0]?.object).toMatchObject({ stringData: { key: "content" } });
  });

  it("asks for an unknown value by its path and takes the answer", () => {
    const graph = graphOf("kubernetes:apps/v1:Deployment", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: { template: { spec: { containers: [{ image: new Unknown("image") }] } } },
    });
    const asked: string[] = [];
    const filled = manifests(graph, { fill: (_resource, path) => (asked.push(path), "example.com/image") })[0];
    expect(asked).toEqual(["spec.template.spec.containers[0].image"]);
    expect(filled?.unknown).toEqual([]);
    expect(JSON.stringify(filled?.object)).toContain("example.com/image");
    expect(JSON.stringify(manifests(graph)[0]?.object)).toContain(PLACEHOLDER);
  });

  it("refuses a secret outside of a Secret object", () => {
    const graph = graphOf("kubernetes:apps/v1:Deployment", {
      metadata: { name: "web" },
      spec: { template: { spec: { containers: [{ env: [{ name: "KEY", value: new Secret("content") }] }] } } },
    });
    expect(() => manifests(graph)).toThrow(UserError);
  });
});

describe("the clients of a hosted database", () => {
  it("have the certificate of the authority next to their credentials", async () => {
    for (const databaseCa of ["", CERTIFICATE]) {
      const list = manifests(await capture("prod", plainSource({ ...SETTINGS, databaseCa })), { withSecrets: true });
      for (const name of ["backup", "postgres-exporter"]) {
        const secret = list.map(({ object }) => object as unknown as Secretive).find(isSecret(name));
        expect(Object.keys(secret?.stringData ?? {}).includes("database-ca.pem"), name).toBe(databaseCa !== "");
      }
    }
  });
});

interface Secretive {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly stringData: Readonly<Record<string, string>>;
}

function isSecret(name: string): (object: Secretive) => boolean {
  return ({ kind, metadata }) => kind === "Secret" && metadata.name === name;
}

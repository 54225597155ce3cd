import { beforeAll, describe, expect, it } from "vitest";
import type { ResourceGraph } from "../../../contract/graph.ts";
import { SERVICES } from "../../../platforms/compose/inspect/status.ts";
import { plainSource } from "../../../stacks/settings/source.ts";
import { capture } from "../../../synth/capture.ts";
import { LABELS } from "../../../contract/labels.ts";
import { compose, composeOutputs, type ComposeProject } from "../../../synth/compose.ts";
import { UnknownValueError } from "../../../synth/values.ts";

interface Service {
  readonly [key: string]: unknown;
  readonly environment: readonly string[];
  readonly labels: Record<string, string>;
  readonly volumes: readonly string[];
  readonly ports: readonly string[];
}

const outputs = composeOutputs((name) => `password-of-${name}`);

async function rendered(values: Record<string, string> = {}): Promise<ComposeProject> {
  return compose(await capture("local", plainSource(values), { outputs }));
}

const servicesOf = (project: ComposeProject) => project.document.services as unknown as Record<string, Service>;

describe("the Compose project of local", () => {
  let graph: ResourceGraph;
  let project: ComposeProject;
  let services: Record<string, Service>;
  beforeAll(async () => {
    graph = await capture("local", plainSource({}), { outputs });
    project = compose(graph);
    services = servicesOf(project);
  });

  it("has the services that `status` expects, and Grafana", () => {
    const names = project.services.map(({ name }) => name).filter((name) => name !== "grafana");
    expect(names.sort()).toEqual([...SERVICES].sort());
  });

  it("has a service for every container of the graph", () => {
    // Those that only carry files into volumes are files here.
    const containers = graph.resources.filter(
      (resource) => resource.type === "docker:index/container:Container" && resource.inputs.start !== false,
    );
    expect(containers.length).toBeGreaterThanOrEqual(5);
    expect(Object.keys(services)).toHaveLength(containers.length);
    expect(Object.keys(services)).toEqual(
      expect.arrayContaining(["server-blue", "server-green", "router", "postgres"]),
    );
  });

  it("hardens every service", () => {
    for (const [name, service] of Object.entries(services)) {
      expect(service, name).toMatchObject({
        read_only: true,
        privileged: false,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
        restart: "on-failure:5",
      });
      expect(service.user, name).toMatch(/^[1-9]\d*:\d+$/);
      expect(service.mem_limit, name).toMatch(/^\d+m$/);
      expect(service.cpus, name).toBeGreaterThan(0);
      expect(service.pids_limit, name).toBeGreaterThan(0);
      expect(service.healthcheck, name).toHaveProperty("test");
      for (const port of service.ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it("keeps every secret out of the document, in files that their container's user reads", () => {
    const document = JSON.stringify(project.document);
    const secrets = project.files.filter((file) => file.secret);
    expect(secrets.length).toBeGreaterThanOrEqual(4);
    for (const file of secrets) {
      expect(document).not.toContain(file.content.trim());
      expect(file.uid).toBeGreaterThan(0);
    }
    expect(document).not.toContain("password-of-");
    expect(services["server-blue"]?.volumes).toContain(
      "./files/server-blue/run/secrets/exai/jwt-token:/run/secrets/exai/jwt-token:ro",
    );
  });

  it("has no top-level name, which docker-compose 1.29 refuses", () => {
    expect(Object.keys(project.document).sort()).toEqual(["networks", "services", "volumes"]);
  });

  it("lists the images and the volumes that hold data", () => {
    expect(project.images).toContain("exai/reference-server:1.0.0");
    expect(project.volumes).toContain("exai-postgres-data");
  });
});

describe("what a changed setting touches", () => {
  const hashes = (project: ComposeProject) => new Map(project.services.map((service) => [service.name, service.hash]));
  const changed = async (values: Record<string, string>) => {
    const [before, after] = [hashes(await rendered()), hashes(await rendered(values))];
    return [...after].filter(([name, hash]) => before.get(name) !== hash).map(([name]) => name);
  };

  it.each([
    [{ logLevel: "debug" }, ["server-blue", "server-green"]],
    [{ greenImage: "exai/reference-server:2.0.0" }, ["server-green"]],
    [{ httpPort: "8090" }, ["router"]],
    [{ dailyRetentionDays: "31" }, ["backup-runner"]],
    [{ jwtSecret: "0123456789abcdef0123456789abcdef" }, ["server-blue", "server-green"]],
    [{ gateP95: "400" }, []],
  ])("%j changes exactly %j", async (values, services) => {
    expect(await changed(values)).toEqual(services);
  });

  it("says the hash on the container, so that the difference can be seen later", async () => {
    const project = await rendered();
    for (const service of project.services)
      expect(servicesOf(project)[service.name]?.labels[LABELS.configHash]).toBe(service.hash);
  });
});

describe("what Compose cannot render", () => {
  const container = (inputs: Record<string, unknown>): ResourceGraph => ({
    project: "exai",
    stack: "local",
    outputs: {},
    resources: [
      {
        urn: "u",
        type: "docker:index/container:Container",
        name: "c",
        custom: true,
        inputs: inputs as never,
        dependencies: [],
        propertyDependencies: {},
        options: { protect: false, ignoreChanges: [], deleteBeforeReplace: false, additionalSecretOutputs: [] },
      },
    ],
  });

  it("refuses a secret in the environment", async () => {
    const { Secret } = await import("../../../contract/graph.ts");
    expect(() => compose(container({ hostname: "c", envs: [new Secret("A=1")] }))).toThrow(/envs carry a secret/);
  });

  it("names the path of an unknown value", async () => {
    const { Unknown } = await import("../../../contract/graph.ts");
    expect(() => compose(container({ hostname: "c", image: new Unknown("image") }))).toThrow(UnknownValueError);
  });
});

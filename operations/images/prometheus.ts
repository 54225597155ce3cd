import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { runProgram, type Ran, type RunOptions } from "../docker/process.ts";
import { otherContent, pinsOf } from "./pins.ts";
import { unzip } from "./python.ts";

/** Prometheus' Go module. Its releases have different versions there: 3.5.0 is v0.305.0. */
const MODULE = "github.com/prometheus/prometheus";

/** What the binary can discover besides files: everything else, such as the clouds, takes most of the time to build. */
const DISCOVERIES = ["dns", "kubernetes"] as const;

/** Longest time that a build may take, in milliseconds: half an hour on a busy machine. */
const BUILD_MS = 1_800_000;

/** Version of the Go module for a release, e.g. `v0.305.0` for `3.5.0`; undefined if it is not a release of version 3. */
export function moduleVersion(release: string): string | undefined {
  const [, minor, patch] = /^3\.(\d{1,2})\.(\d+)$/.exec(release) ?? [];
  return minor === undefined || patch === undefined ? undefined : `v0.3${minor.padStart(2, "0")}.${patch}`;
}

/** What a release is built from, as labels say it. */
export function prometheusModule(release: string): string {
  return `go:${MODULE}@${moduleVersion(release) ?? ""}`;
}

/** Everything that decides what {@link buildPrometheus} makes, besides the release. */
export function prometheusPlugins(): string {
  const imports = DISCOVERIES.map((name) => `\t_ "${MODULE}/discovery/${name}"`);
  return ["package plugins", "", "import (", ...imports, ")", ""].join("\n");
}

/**
 * Builds Prometheus' binary from its Go module, static, without its web interface. Takes minutes.
 *
 * @param release of version 3, e.g. `3.5.0`
 * @param binary path of the file to write
 * @throws UserError if Go is missing or the module is not available
 */
export async function buildPrometheus(release: string, binary: string, signal?: AbortSignal): Promise<void> {
  const version = moduleVersion(release);
  if (version === undefined) throw new Error(`${release} is not a release of Prometheus 3`);
  const pins = pinsOf(`${MODULE}@${version}`);
  const folder = await mkdtemp(join(tmpdir(), "exai-prometheus-"));
  try {
    const options = { ...(signal ? { signal } : {}), cwd: folder };
    const module = `${MODULE}@${version}`;
    const download = await go(["mod", "download", "-json", module], module, options);
    const { Zip: zip, Sum: sum } = JSON.parse(download.stdout) as { Zip: string; Sum: string };
    if (!pins.includes(sum)) throw otherContent(module);
    // Unpacked a second time: the files that Go unpacks are read-only.
    await unzip(zip, folder, module, { signal });
    const source = join(folder, module);
    // Prometheus' own way to leave discoveries out: what its `make plugins` writes.
    await writeFile(join(source, "plugins/plugins.go"), prometheusPlugins());
    const stamp = `-X github.com/prometheus/common/version.Version=${release}`;
    const build = ["build", "-trimpath", "-ldflags", `-s -w ${stamp}`, "-o", binary, "./cmd/prometheus"];
    await go(build, module, { ...options, cwd: source, env: { CGO_ENABLED: "0" } });
    await chmod(binary, 0o755);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs Go's own tool. */
async function go(args: readonly string[], what: string, options: RunOptions): Promise<Ran> {
  const ran = await runProgram("go", args, { ...options, timeoutMs: BUILD_MS }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const fix = "install Go 1.23 or later, or load the image with 'docker load'";
    throw new UserError("missing-tool", what, "Go, which builds it, is not installed", fix, { cause: error });
  });
  options.signal?.throwIfAborted();
  if (ran.code === 0) return ran;
  const said = `${ran.stdout}\n${ran.stderr}`.trim().split("\n").at(-1) ?? "";
  throw new UserError("failed", what, `cannot be built: ${said}`, `check 'go mod download ${what}'`);
}

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { UserError } from "../../contract/errors.ts";
import { fix } from "../../contract/fix.ts";
import { Interrupted } from "../../contract/interrupted.ts";
import { IMAGE_LABELS } from "../../contract/images.ts";
import { docker, DockerError, imageLabels } from "../docker/cli.ts";
import { BUILD_DIRECTORY, PROJECT_ROOT } from "./paths.ts";

/** An image to build. */
export interface ImageBuild {
  readonly tag: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Everything that decides what the image holds, besides tag, arguments and labels. */
  readonly content: readonly (string | Uint8Array)[];
  /** Writes the build context, with its Dockerfile, into an empty folder. */
  readonly stage: (directory: string) => Promise<void>;
  /** Stage of the Dockerfile; the last one by default. */
  readonly target?: string;
  /** Whether RUN steps may use this machine's network. */
  readonly network?: boolean;
  readonly signal?: AbortSignal;
}

/** Whether a build was needed. */
export type BuildOutcome = "built" | "unchanged";

/** Hash of what an image is made from; the parts are length-prefixed, so that no two lists of parts look alike. */
export function contentHash(build: Pick<ImageBuild, "buildArgs" | "labels" | "content">): string {
  const hash = createHash("sha256");
  const sorted = (record: Readonly<Record<string, string>> = {}) =>
    JSON.stringify(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
  for (const part of [sorted(build.buildArgs), sorted(build.labels), ...build.content]) {
    const bytes = Buffer.from(part);
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest("hex");
}

/** Runs an action in a new folder under `.exai/build`, which is removed afterwards. */
export async function inBuildDirectory<T>(name: string, action: (directory: string) => Promise<T>): Promise<T> {
  await mkdir(BUILD_DIRECTORY, { recursive: true });
  const directory = await mkdtemp(join(BUILD_DIRECTORY, `${name}-`));
  try {
    return await action(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Keeps the builder's whole output in a file and makes an error of its last line. */
async function buildFailure(tag: string, error: DockerError): Promise<UserError> {
  const log = join(BUILD_DIRECTORY, `${tag.replace(/[^A-Za-z0-9.]+/g, "-")}.log`);
  const output = stripVTControlCharacters(error.stderr);
  const kept = await writeFile(log, output).then(
    () => true,
    () => false, // a full disk must not hide why the build failed
  );
  const last = output.trim().split("\n").at(-1) ?? "";
  const remedy = kept ? `read ${relative(PROJECT_ROOT, log)}` : "make room on the disk, then run the command again";
  return new UserError("failed", tag, `could not be built: ${last}`, remedy, { cause: error });
}

/** Milliseconds in which Docker must say what an interrupted build has left. */
const ANSWER_MS = 3000;

/** What Ctrl-C left of a build: Docker, which builds, has got the end of the request and no more. */
async function interruptedBuild(build: ImageBuild, cause: unknown): Promise<Interrupted> {
  const { tag } = build;
  const again = fix`run the same command again: it uses the steps that are done. \`docker image inspect ${tag}\` shows what the tag names`;
  const labels = await imageLabels(tag, { timeoutMs: ANSWER_MS }).catch(() => null);
  if (labels === null) return new Interrupted(`Docker does not say whether it has built ${tag}`, again, { cause });
  if (labels?.[IMAGE_LABELS.contentHash] === contentHash(build))
    return new Interrupted(`${tag} was built all the same`, again, { cause });
  const present = labels === undefined ? `${tag} does not exist` : `${tag} is the earlier image`;
  return new Interrupted(`${present}; Docker may still complete the step that ran, or the build`, again, { cause });
}

/** Whether the tag already names an image of the same content. */
export async function isBuilt(build: ImageBuild): Promise<boolean> {
  const labels = await imageLabels(build.tag, build.signal ? { signal: build.signal } : {});
  return labels?.[IMAGE_LABELS.contentHash] === contentHash(build);
}

/**
 * Builds an image, unless the tag already names one of the same content (label `exai.content-hash`).
 *
 * Throws a `UserError` that names the file of the builder's output when the build fails.
 */
export async function buildImage(build: ImageBuild): Promise<BuildOutcome> {
  if (await isBuilt(build)) return "unchanged";
  const options = build.signal ? { signal: build.signal } : {};
  const labels = { ...build.labels, [IMAGE_LABELS.contentHash]: contentHash(build) };
  const pairs = (flag: string, record: Readonly<Record<string, string>> = {}) =>
    Object.entries(record).flatMap(([key, value]) => [flag, `${key}=${value}`]);
  await inBuildDirectory("image", async (directory) => {
    await build.stage(directory);
    const args = [
      "build",
      "--quiet",
      "--pull=false",
      ...(build.network ? ["--network", "host"] : []),
      ...(build.target === undefined ? [] : ["--target", build.target]),
      ...pairs("--build-arg", build.buildArgs),
      ...pairs("--label", labels),
      "--tag",
      build.tag,
      directory,
    ];
    try {
      await docker(args, options);
    } catch (error) {
      if (build.signal?.aborted === true) throw await interruptedBuild(build, error);
      if (!(error instanceof DockerError)) throw error;
      throw await buildFailure(build.tag, error);
    }
  });
  return "built";
}

import { copyFile, link, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ImageBuild } from "./build.ts";
import { nodeBinary, NODE_VERSION } from "./node.ts";
import { PROJECT_ROOT } from "./paths.ts";

/** A program of `images`, bundled into one file without dependencies. */
export async function bundleProgram(entry: string): Promise<string> {
  // esbuild is a development dependency: who only runs `plan` or `synth` never loads it.
  const { build } = await import("esbuild");
  const result = await build({
    entryPoints: [entry],
    // The bundle names its sources: from another folder it would be another image.
    absWorkingDir: PROJECT_ROOT,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minifySyntax: true,
    write: false,
    logLevel: "silent",
    // Dependencies in CommonJS call require, which an ES module does not have.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  return result.outputFiles[0]?.text ?? "";
}

/** Content and build context of an image that has Node and some files of this project. */
export function nodePrograms(
  dockerfile: string,
  files: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Pick<ImageBuild, "content" | "stage" | "signal"> {
  return {
    content: [dockerfile, ...Object.values(files), NODE_VERSION],
    stage: async (directory) => {
      const written = Object.entries({ ...files, Dockerfile: dockerfile }).map(async ([name, text]) => {
        const path = join(directory, name);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, text, { mode: text.startsWith("#!") ? 0o755 : 0o644 });
      });
      await Promise.all([linkOrCopy(await nodeBinary(signal), join(directory, "node")), ...written]);
    },
    ...(signal ? { signal } : {}),
  };
}

/** Copies a file by a hard link where the file system allows it. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    await copyFile(from, to);
  }
}

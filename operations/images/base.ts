import { join } from "node:path";
import { IMAGE_LABELS } from "../../contract/images.ts";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { docker, imageLabels } from "../docker/cli.ts";
import { runProgram } from "../docker/process.ts";
import { inBuildDirectory } from "./build.ts";
import type { Registries } from "./registry.ts";

/** Base of every image that is built here. */
export const BASE_IMAGE = "debian:bookworm-slim";

/** Where the base came from. */
export type BaseOutcome = "present" | "pulled" | "made";

/** Files that the official slim image omits: they are not used in a container. */
const LEFT_OUT = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*"];

/**
 * Makes a Debian base image with mmdebstrap from Debian's own mirror.
 *
 * Throws a `UserError` when mmdebstrap is missing or fails.
 */
async function makeBase(tag: string, signal?: AbortSignal): Promise<void> {
  const options = signal ? { signal } : {};
  await inBuildDirectory("base", async (directory) => {
    const tar = join(directory, "base.tar");
    const args = [
      "--variant=minbase",
      "--include=ca-certificates",
      '--aptopt=Apt::Install-Recommends "false"',
      // It has its own configuration of apt, and verifies by Debian's keyring.
      ...["APT::Get::AllowUnauthenticated", "Acquire::AllowInsecureRepositories", "Acquire::AllowWeakRepositories"].map(
        (option) => `--aptopt=${option} "false"`,
      ),
      ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
      "--quiet",
      "bookworm",
      tar,
    ];
    const ran = await runProgram("mmdebstrap", args, options).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new UserError(
        "missing-tool",
        tag,
        "cannot be pulled, and mmdebstrap, which would make it, is not installed",
        DOCTOR,
        {
          cause: error,
        },
      );
    });
    signal?.throwIfAborted();
    if (ran.code !== 0)
      throw new UserError(
        "not-found",
        tag,
        `cannot be pulled, and mmdebstrap failed: ${ran.stderr.trim().split("\n").at(-1) ?? ""}`,
        "run as root where Debian's package archive can be reached, or load the image with 'docker load'",
      );
    const changes = [
      "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      'CMD ["bash"]',
      `LABEL ${IMAGE_LABELS.standIn}=debian:mmdebstrap`,
    ];
    await docker(["import", ...changes.flatMap((change) => ["--change", change]), tar, tag], options);
  });
}

const DOCTOR = fix`${command("doctor --install")}`;

/** Makes sure that the base image is there: pulled, else made. Throws as {@link makeBase}. */
export async function ensureBase(tag: string, registries: Registries, signal?: AbortSignal): Promise<BaseOutcome> {
  if (await imageLabels(tag, signal ? { signal } : {})) return "present";
  if ((await registries.pull(tag, signal)).pulled) return "pulled";
  await makeBase(tag, signal);
  return "made";
}

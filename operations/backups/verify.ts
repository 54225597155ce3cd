import { docker, DockerError, tryDocker } from "../docker/cli.ts";
import type { Operation } from "../../contract/events.ts";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";

/**
 * What is wrong with the repository:
 * - `wrong-key`: another passphrase encrypted it. `repository-missing`: it has no list of backups.
 * - `repository-full`: its disk has no room. `archive-failing`: the server cannot archive its WAL.
 * - `backup-missing`, `manifest-missing`, `file-missing`, `file-damaged`: a backup, or the archive, lacks a part or differs from its
 *   checksums.
 * - `segment-missing`: a segment between others, of a backup, or the last one is gone.
 * - `runner-interrupted`: the runner ended in the midst of the last backup.
 * - `sample-failed`: the newest backup cannot be restored.
 */
export const VERIFY_CODES = [
  ...(["wrong-key", "repository-missing", "repository-full", "archive-failing", "backup-missing"] as const),
  ...(["manifest-missing", "file-missing", "file-damaged", "segment-missing", "runner-interrupted"] as const),
  "sample-failed",
] as const;

export interface BackupFinding {
  readonly code: (typeof VERIFY_CODES)[number];
  /** A backup's label, a segment, `archive` or `repository`. */
  readonly subject: string;
  readonly detail: string;
}

/** How a verification ended: `sound`, or `damaged` with its findings. */
export interface BackupVerification {
  readonly outcome: "sound" | "damaged";
  readonly findings: readonly BackupFinding[];
  /** The newest backup, restored as a sample; absent if none could be. */
  readonly sample?: { readonly label: string; readonly seconds: number };
  /** Whether the result is in `backup_verification`: the database may be down. */
  readonly recorded: boolean;
  readonly seconds: number;
  /** Stack on a cluster; absent for `local`. */
  readonly stack?: string;
}

/**
 * Has the runner compare history, repository, files and WAL, and restore the newest backup as a sample. Needs no database: the
 * repository can be verified while it is down.
 */
export async function* verifyBackups(runner: string, signal?: AbortSignal): Operation<BackupVerification> {
  const options = signal === undefined ? {} : { signal };
  const started = performance.now();
  const step = { type: "step", id: "verify", title: "verify the repository, and restore a sample" } as const;
  yield { ...step, status: "started" };
  const report = "/tmp/runner/verify.manual";
  const ran = await tryDocker(["exec", runner, "bash", "-c", `exai-verify --restore | tee ${report}`], options);
  signal?.throwIfAborted();
  if (ran.code !== 0)
    throw new UserError(
      "unavailable",
      runner,
      `cannot verify: ${ran.stderr.trim() || "the runner has ended"}`,
      fix`${command("up")}, then ${command("logs backup-runner")}`,
    );
  const { findings, sample } = readReport(ran.stdout);
  const recorded = await docker(["exec", runner, "exai-record-verification", report], options).then(
    () => true,
    (error: unknown) => {
      if (error instanceof DockerError) return false;
      throw error;
    },
  );
  const seconds = (performance.now() - started) / 1000;
  const outcome = findings.length === 0 ? "sound" : "damaged";
  yield { ...step, status: outcome === "sound" ? "done" : "failed", seconds };
  return { outcome, findings, ...(sample === undefined ? {} : { sample }), recorded, seconds };
}

/** Reads what `exai-verify` of the image prints. */
export function readReport(text: string): Pick<BackupVerification, "findings" | "sample"> {
  const rows = text.split("\n").map((line) => line.split("\t"));
  const findings = rows.flatMap(([code, subject = "", detail = ""]) => {
    const known = VERIFY_CODES.find((each) => each === code);
    return known === undefined ? [] : [{ code: known, subject, detail }];
  });
  const [, label, milliseconds] = rows.find(([code]) => code === "sample") ?? [];
  return { findings, ...(label === undefined ? {} : { sample: { label, seconds: Number(milliseconds) / 1000 } }) };
}

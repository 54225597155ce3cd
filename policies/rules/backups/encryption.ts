import { isContainer } from "../../reading/containers.ts";
import type { Reader } from "../../model/reader.ts";
import { judgeAt, placeOf, type StackRule } from "../../model/rule.ts";
import { all, any, not } from "../../model/truth.ts";
import { repositoryWriters, type BackupJob } from "../../reading/backups/jobs.ts";

/** Backups are unreadable without the passphrase. */
export const encryption: StackRule = {
  name: "backup-encryption",
  title: "Backups are encrypted with a passphrase that is mounted as a secret",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "A container that takes backups, and a server that archives its write-ahead log to the same repository, name the file of the passphrase: `BACKUP_PASSPHRASE_FILE` for pgBackRest, `RESTIC_PASSWORD_FILE` for restic. The file is on a separate volume (Docker) or on the volume of a Secret (Kubernetes), and no option turns encryption off.",
  references: [
    { standard: "NIST SP 800-53", item: "CP-9(8)" },
    { standard: "OWASP ASVS 4.0", item: "8.1.6" },
  ],
  *check(context) {
    const jobs = repositoryWriters(context);
    if (jobs.length === 0)
      yield judgeAt(
        { object: "backups", path: "" },
        false,
        "no container takes backups",
        "add a component of exai:backups",
      );
    for (const job of jobs) {
      const docker = isContainer(job.subject.resource);
      const file = job.environment(docker ? "BACKUP_PASSPHRASE_FILE" : "RESTIC_PASSWORD_FILE");
      const words = [...job.reader.at("command").each(), ...job.reader.at("args").each()];
      yield judgeAt(
        placeOf(job.subject, file.path),
        all(
          file.matches(/^\//),
          mountedSecret(job, file, docker),
          not(any(...words.map((word) => word.is("--insecure-no-password")))),
        ),
        "backups are not encrypted with a passphrase that is mounted as a secret",
        docker ? "set BACKUP_PASSPHRASE_FILE to a mounted file" : "set RESTIC_PASSWORD_FILE to a file of a Secret",
      );
    }
  },
};

function mountedSecret(job: BackupJob, file: Reader, docker: boolean) {
  if (file.text === undefined) return file.isPresent;
  const mount = job.volumeAt(file.text);
  if (mount === undefined) return false;
  return docker ? mount.source.isPresent : mount.source.at("secret").isPresent;
}

import { isContainer } from "../../reading/containers.ts";
import type { Reader } from "../../model/reader.ts";
import { judgeAt, placeOf, type StackRule } from "../../model/rule.ts";
import { all, any, not } from "../../model/truth.ts";
import { repositoryWriters, type BackupJob } from "../../reading/backup-jobs.ts";

/** Whoever finds a backup finds nothing in it. */
export const encryption: StackRule = {
  name: "backup-encryption",
  title: "Backups are encrypted by a key that is mounted as a secret",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "What takes backups, and the server that archives its log beside them, names the file of its passphrase: `BACKUP_PASSPHRASE_FILE` for pgBackRest, `RESTIC_PASSWORD_FILE` for restic. The file stands on a volume of its own (Docker) or of a Secret (Kubernetes), and no switch turns encryption off.",
  references: [
    { standard: "NIST SP 800-53", item: "CP-9(8)" },
    { standard: "OWASP ASVS 4.0", item: "8.1.6" },
  ],
  *check(context) {
    const jobs = repositoryWriters(context);
    if (jobs.length === 0)
      yield judgeAt({ object: "backups", path: "" }, false, "nothing takes backups", "add a component of exai:backups");
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
        "backups are written without a passphrase that is mounted as a secret",
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

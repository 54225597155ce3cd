import { isContainer } from "../../reading/containers.ts";
import { bearsPods, podsOf } from "../../reading/kubernetes/pods.ts";
import { judgeAt, placeOf, subjectOf, type StackContext, type StackRule } from "../../model/rule.ts";
import { all, type Truth } from "../../model/truth.ts";
import { backupJobs, POSTGRES_PLACES, type BackupJob } from "../../reading/backups/jobs.ts";

/** Repositories of restic on another host. What rclone reaches is in its own configuration. */
const REMOTE = /^(s3|rest|sftp|b2|azure|gs|swift):/;

/** Backups survive the loss of the data. */
export const failureDomain: StackRule = {
  name: "backup-failure-domain",
  title: "Backups are in another failure domain than the data",
  level: "mandatory",
  // One machine is one failure domain, and development data can be recreated.
  levelIn: { local: "advisory" },
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "On Kubernetes, the repository is remote (`exai:backupRepository`) on a host outside of the pod and of the cluster, or a claimed volume if the database is outside of the cluster, at Supabase. A repository on an `emptyDir` or in a directory of the node does not count. On Docker, the repository is on another volume than the data, but on the same machine; the rule reports this as advisory.",
  references: [
    { standard: "NIST SP 800-53", item: "CP-6, CP-9(3)" },
    { standard: "CISA", item: "3-2-1 rule" },
  ],
  *check(context) {
    const jobs = backupJobs(context);
    if (jobs.length === 0)
      yield judgeAt(
        { object: "backups", path: "" },
        false,
        "no container takes backups",
        "add a component of exai:backups",
      );
    for (const job of jobs)
      yield isContainer(job.subject.resource) ? onDocker(job) : onKubernetes(job, databaseIsElsewhere(context));
  },
};

function onDocker(job: BackupJob) {
  const data = job.volumeAt(POSTGRES_PLACES.data);
  const repository = job.volumeAt(POSTGRES_PLACES.repository);
  const apart = repository !== undefined && (data === undefined || data.volume !== repository.volume);
  return judgeAt(
    placeOf(job.subject, "volumes"),
    false,
    apart
      ? "the repository is on the machine that holds the data"
      : "the repository is on the volume that holds the data",
    apart ? "copy the repository to another machine if the data matters" : "put the repository on a separate volume",
  );
}

function onKubernetes(job: BackupJob, elsewhere: boolean) {
  const repository = job.environment("RESTIC_REPOSITORY");
  const text = repository.text;
  const volume = text === undefined || REMOTE.test(text) ? undefined : job.volumeAt(text);
  const claimed: Truth =
    volume === undefined ? false : all(volume.source.at("persistentVolumeClaim").isPresent, elsewhere);
  const holds: Truth = text === undefined ? repository.isPresent : REMOTE.test(text) ? isElsewhere(text) : claimed;
  return judgeAt(
    placeOf(job.subject, repository.path),
    holds,
    "the repository is lost together with the data or with its pod",
    "set exai:backupRepository to a remote repository, or use a claimed volume together with a hosted database",
  );
}

/** Schemes whose provider has the data. */
const PROVIDERS = /^(?:b2|azure|gs|swift):/;

/** Whether a remote repository is on another host, outside of the cluster. */
function isElsewhere(repository: string): boolean {
  if (PROVIDERS.test(repository)) return true;
  const rest = repository.slice(repository.indexOf(":") + 1);
  // restic's forms: rest:https://host/, s3:https://host/bucket, s3:host/bucket, sftp:user@host:/path, sftp://host/path.
  const url = URL.parse(/^\w+:\/\//.test(rest) ? rest : `ssh://${rest.replace(/^\/\//, "").replace(/:(?=\D)/, "/")}`);
  const host = url?.hostname.toLowerCase().replace(/\.$/, "") ?? "";
  if (/^[\d.]+$/.test(host)) return !/^(?:0|127|169\.254)\./.test(host);
  if (host.startsWith("[")) return !/^\[(?:::1?|fe[89ab].*|::ffff:7f.*|::ffff:0.*)\]$/.test(host);
  // A name without a dot, or of the cluster's own domain, is a Service: where its storage is cannot be judged.
  return host.includes(".") && !/(?:^|\.)(?:localhost|localdomain|svc|cluster\.local|internal\.local)$/.test(host);
}

/** Whether the data is outside of the cluster: a Supabase database is declared, and no pod runs a database. */
function databaseIsElsewhere(context: StackContext): boolean {
  const { resources } = context.graph;
  const hosted = resources.some((resource) => resource.type.startsWith("supabase:index/"));
  const inside = resources.filter(bearsPods).some((resource) =>
    podsOf(subjectOf(resource)).some((pod) =>
      pod.containers.some(({ reader }) =>
        reader
          .at("volumeMounts")
          .each()
          .some((mount) => mount.at("mountPath").is(POSTGRES_PLACES.data) === true),
      ),
    ),
  );
  return hosted && !inside;
}

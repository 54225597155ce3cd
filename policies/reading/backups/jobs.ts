import type { Resource } from "../../../contract/graph.ts";
import { LABELS } from "../../../contract/labels.ts";
import { componentOf, isContainer } from "../containers.ts";
import { podsOf } from "../kubernetes/pods.ts";
import { Reader } from "../../model/reader.ts";
import { subjectOf, type StackContext, type Subject } from "../../model/rule.ts";

/** A container that takes backups, with its configuration. */
export interface BackupJob {
  readonly subject: Subject;
  /** The container, for findings. */
  readonly reader: Reader;
  /** Its pod; the container itself on Docker. */
  readonly pod: Reader;
  /** The labels of its pod. */
  readonly labels: Reader;
  /** The value of an environment variable; absent if it is not set. */
  environment(name: string): Reader;
  /** The volume whose mount contains `path`: its name, and the place that declares it. */
  volumeAt(
    path: string,
  ): { readonly volume: string | undefined; readonly source: Reader; readonly readOnly: Reader } | undefined;
}

/** Every container that takes backups, by its component label. */
export function backupJobs(context: StackContext): readonly BackupJob[] {
  return context.graph.resources.flatMap((resource) => [...jobsOf(resource)]);
}

/** Every container that may write to a repository, including a server that archives its write-ahead log there. */
export function repositoryWriters(context: StackContext): readonly BackupJob[] {
  const servers = context.graph.resources.filter(isContainer).map((resource) => dockerJob(subjectOf(resource)));
  const archiving = servers.filter(
    (job) => componentOf(job.reader) !== "backup-runner" && job.volumeAt(POSTGRES_PLACES.repository) !== undefined,
  );
  return [...backupJobs(context), ...archiving];
}

function* jobsOf(resource: Resource): Generator<BackupJob> {
  const subject = subjectOf(resource);
  if (isContainer(resource)) {
    if (componentOf(subject.inputs) === "backup-runner") yield dockerJob(subject);
    return;
  }
  for (const pod of podsOf(subject)) {
    const labelled = pod.metadata.at("labels", LABELS.component).is("backup");
    for (const { reader, role } of pod.containers) {
      const job = podJob(subject, reader, pod.spec, pod.metadata.at("labels"));
      // An unknown label may be that of a backup, if the container has its variables.
      const takesBackups =
        labelled === true || (labelled !== false && job.environment("BACKUP_NAME").isPresent === true);
      // It reads dumps, and has no repository to write to.
      const [program] = reader.at("command").each();
      if (role === "container" && takesBackups && program?.is("exai-dumps") !== true) yield job;
    }
  }
}

function dockerJob(subject: Subject): BackupJob {
  const { inputs } = subject;
  return {
    subject,
    reader: inputs,
    pod: inputs,
    labels: inputs.at("labels"),
    environment(name) {
      const list = inputs.at("envs");
      // Of two of one name, the last one is in force.
      const entry = list.each().findLast((variable) => variable.text?.startsWith(`${name}=`));
      const open = list.each().find((variable) => variable.state === "unknown");
      return entry === undefined
        ? (open ?? Reader.of(undefined, list.path))
        : Reader.of(entry.text?.slice(name.length + 1), entry.path);
    },
    volumeAt(path) {
      const mount = inputs
        .at("volumes")
        .each()
        .filter((volume) => holds(volume.at("containerPath").text, path))
        .sort(deepest("containerPath"))[0];
      return mount === undefined
        ? undefined
        : {
            volume: mount.at("volumeName").text,
            source: mount.at("volumeName").or(mount.at("hostPath")),
            readOnly: mount.at("readOnly"),
          };
    },
  };
}

function podJob(subject: Subject, container: Reader, spec: Reader, labels: Reader): BackupJob {
  return {
    subject,
    reader: container,
    pod: spec,
    labels,
    environment(name) {
      const variable = container
        .at("env")
        .each()
        .findLast(
          (entry) =>
            entry.state === "unknown" || entry.at("name").state === "unknown" || entry.at("name").text === name,
        );
      return variable === undefined
        ? Reader.of(undefined, container.at("env").path)
        : variable.state === "unknown"
          ? variable
          : variable.at("name").state === "unknown"
            ? variable.at("name")
            : variable.at("value").or(variable.at("valueFrom"));
    },
    volumeAt(path) {
      const mount = container
        .at("volumeMounts")
        .each()
        .filter((each) => holds(each.at("mountPath").text, path))
        .sort(deepest("mountPath"))[0];
      const name = mount?.at("name").text;
      const source = spec
        .at("volumes")
        .each()
        .find((volume) => name !== undefined && volume.at("name").text === name);
      return source === undefined || mount === undefined
        ? undefined
        : { volume: name, source, readOnly: mount.at("readOnly") };
    },
  };
}

function holds(mount: string | undefined, path: string): boolean {
  return mount !== undefined && (path === mount || path.startsWith(`${mount.replace(/\/$/, "")}/`));
}

/** Of two mounts that contain a path, the deeper one is in force. */
function deepest(key: string): (a: Reader, b: Reader) => number {
  return (a, b) => (b.at(key).text ?? "").length - (a.at(key).text ?? "").length;
}

/** Mount paths of the backup runner's volumes. */
export const POSTGRES_PLACES = {
  /** Data directory of the server in images/postgres. */
  data: "/var/lib/postgresql/data",
  /** Repository of pgBackRest in images/postgres. */
  repository: "/var/lib/pgbackrest",
} as const;

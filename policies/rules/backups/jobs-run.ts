import type { Answer } from "../../model/answer.ts";
import { judgeAnswers } from "../../model/answer.ts";
import type { Reader } from "../../model/reader.ts";
import { judgeAt, placeOf, subjectOf, type StackContext, type StackRule } from "../../model/rule.ts";
import { all, any, not, type Truth } from "../../model/truth.ts";
import { backupJobs, type BackupJob } from "../../reading/backups/jobs.ts";
import { declaredGap, engineOf } from "../../reading/backups/cron.ts";
import { isSchedule } from "../../reading/backups/declared.ts";
import { objectsOf } from "../../reading/kubernetes/objects.ts";
import { quantity } from "../../reading/kubernetes/quantities.ts";
import { schedulable, undisturbed } from "../../reading/kubernetes/scheduling.ts";

/** Least time that a run gets, in seconds: a dump, its verification and the expiry of old ones. */
const LEAST_SECONDS = 600;
const DAY_SECONDS = 86_400;
/** Least memory of a run, in bytes: `pg_dump` and `restic` hold an index of what is stored. */
const LEAST_MEMORY = 128 * 2 ** 20;

/** Variables that the program of the dumps reads; images/postgres/bin/exai-dump describes them. */
const VARIABLES = [
  ...["BACKUP_NAME", "BACKUP_KIND", "BACKUP_FREQUENCY", "BACKUP_CRON", "BACKUP_TIME_ZONE", "BACKUP_RETENTION_DAYS"],
  ...["BACKUP_SCRATCH", "DATABASE_URL_FILE", "HOME", "TZ", "LANG"],
  ...["RESTIC_REPOSITORY", "RESTIC_PASSWORD_FILE", "RESTIC_CACHE_DIR", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE"],
  ...["AWS_REGION", "AWS_DEFAULT_REGION"],
];

/** What a CronJob would run is the declared backup. */
export const jobsRun: StackRule = {
  name: "backup-jobs-run",
  title:
    "The CronJob of each declared backup can start, has time, and runs the backup program with the declared values",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  only: { environments: ["staging", "prod"], reason: "on Docker, backup-runner-schedules checks the runner" },
  documentation: `A CronJob with the right time may still make no backup. Checked are, for the CronJob of each enabled schedule:

- that its Jobs start: \`suspend\`, \`parallelism\`, \`completions\`, \`managedBy\`, \`startingDeadlineSeconds\` of at least a minute, and a pod that an unknown cluster can place (no node labels apart from \`kubernetes.io/os\` and \`kubernetes.io/arch\`, no gates, no other scheduler, no more resources than a usual node has);
- that a run has time, memory and another attempt: a memory limit of at least 128 MiB, \`activeDeadlineSeconds\` of at least ten minutes and less than the time between two runs, \`backoffLimit\` of at least 1, no probe or hook that ends it, no second container that keeps it from ending;
- that a failed run can be looked at: \`failedJobsHistoryLimit\` of at least 1, \`ttlSecondsAfterFinished\` of at least a day;
- that it is the backup: the command \`exai-postgres dump\`, the values of the schedule (name, kind, time, time zone, retention) in its environment, no variable that the program does not read, a repository that can be written, and claims and Secrets that the stack declares.`,
  references: [
    { standard: "Requirement", item: "daily full 02:00, hourly incremental, weekly Sunday 03:00" },
    { standard: "Kubernetes documentation", item: "CronJob; Jobs" },
    { standard: "NIST SP 800-53", item: "CP-9" },
  ],
  notApplicable: (context) =>
    context.graph.resources.some(isSchedule) ? undefined : "no schedule is declared, which backup-schedules reports",
  *check(context) {
    const jobs = backupJobs(context);
    for (const schedule of context.graph.resources.filter(isSchedule).map(subjectOf)) {
      const declared = schedule.inputs;
      if (declared.at("enabled").is(false) === true) continue;
      const name = declared.at("name");
      if (name.state === "unknown") {
        yield judgeAt(placeOf(schedule, "name"), name.isPresent, "the CronJob of the schedule is not known", "");
        continue;
      }
      const own = jobs.filter((job) => job.environment("BACKUP_NAME").is(name.text ?? "") !== false && isCronJob(job));
      yield judgeAt(
        placeOf(schedule, "name"),
        own.length === 1,
        `${own.length === 0 ? "no CronJob takes" : `${own.length} containers take`} the backup ${name.shown}`,
        "declare one CronJob with BACKUP_NAME set to the name of the schedule",
      );
      for (const job of own) yield* judgeAnswers(job.subject, answers(context, job, declared));
    }
  },
};

const isCronJob = (job: BackupJob): boolean => job.subject.resource.type.includes(":CronJob");

function* answers(context: StackContext, job: BackupJob, declared: Reader): Generator<Answer> {
  const cron = job.subject.inputs.at("spec");
  const run = cron.at("jobTemplate", "spec");
  const gap = declaredGap(declared, engineOf(context.environment));
  const period = gap === undefined || gap instanceof Error ? 0 : gap.minutes * 60;
  yield* starts(cron, run, job.pod);
  yield* hasTime(run, job.pod, period);
  yield* hasMemory(job.reader);
  yield* schedulable(job.pod, job.labels);
  yield* undisturbed(job.reader);
  yield* isTheBackup(context, job, declared);
}

const answer = (at: Reader, holds: Truth, message: string, fix: string): Answer => ({ at, holds, message, fix });

function* starts(cron: Reader, run: Reader, pod: Reader): Generator<Answer> {
  const each: readonly (readonly [at: Reader, holds: (at: Reader) => Truth, message: string, fix: string])[] = [
    [run.at("suspend"), (at) => at.isAbsentOr(false), "its Jobs are suspended", "remove suspend"],
    [run.at("parallelism"), (at) => any(at.isAbsent, at.is(1)), "its Jobs do not run one pod", "remove parallelism"],
    [run.at("completions"), (at) => any(at.isAbsent, at.is(1)), "its Jobs do not run once", "remove completions"],
    [
      run.at("managedBy"),
      (at) => at.isAbsentOr("kubernetes.io/job-controller"),
      "another controller runs its Jobs",
      "remove managedBy",
    ],
    [run.at("podFailurePolicy"), (at) => at.isAbsent, "a failed run may not be repeated", "remove podFailurePolicy"],
    [run.at("successPolicy"), (at) => at.isAbsent, "a failed run may count as a success", "remove successPolicy"],
    [
      cron.at("startingDeadlineSeconds"),
      (at) => any(at.isAbsent, at.within(60, Infinity)),
      "a run that starts a moment late is skipped: the controller checks every ten seconds",
      "set startingDeadlineSeconds to 60 or more",
    ],
  ];
  for (const [at, holds, message, fix] of each) yield answer(at, holds(at), message, fix);
  const restart = pod.at("restartPolicy");
  yield answer(restart, restart.is("Never", "OnFailure"), "its pods are refused", 'set restartPolicy to "Never"');
}

function* hasTime(run: Reader, pod: Reader, period: number): Generator<Answer> {
  for (const at of [run.at("activeDeadlineSeconds"), pod.at("activeDeadlineSeconds")])
    yield answer(
      at,
      any(at.isAbsent, at.within(Math.min(LEAST_SECONDS, period / 2), period)),
      `a run is ended after ${at.shown} s, which is too soon, or later than the next one`,
      `set activeDeadlineSeconds to ${LEAST_SECONDS} or more, and to less than the time between two runs`,
    );
  const retries = run.at("backoffLimit");
  yield answer(
    retries,
    any(retries.isAbsent, retries.within(1, 20)),
    "a run that fails has no other attempt",
    "set backoffLimit to 1 or more",
  );
  const kept = run.at("ttlSecondsAfterFinished");
  yield answer(
    kept,
    any(kept.isAbsent, kept.within(DAY_SECONDS, Infinity)),
    "a failed run and its log are deleted before anyone can read them",
    `set ttlSecondsAfterFinished to ${DAY_SECONDS} or more`,
  );
}

/** The kernel kills what takes more than its limit, each time again. */
function* hasMemory(container: Reader): Generator<Answer> {
  const limit = container.at("resources", "limits", "memory");
  yield answer(
    limit,
    any(
      limit.isAbsent,
      limit.test((value) => (quantity(value) ?? 0) >= LEAST_MEMORY),
    ),
    `a run is killed when it takes more memory than ${limit.shown}`,
    "set resources.limits.memory to 128Mi or more",
  );
}

function* isTheBackup(context: StackContext, job: BackupJob, declared: Reader): Generator<Answer> {
  const { reader, pod, subject } = job;
  const history = subject.inputs.at("spec", "failedJobsHistoryLimit");
  yield answer(
    history,
    any(history.isAbsent, history.within(1, Infinity)),
    "a failed run and its log are deleted before anyone can read them",
    "set failedJobsHistoryLimit to 1 or more",
  );
  const words = [...reader.at("command").each(), ...reader.at("args").each()];
  const program = ["exai-postgres", "dump"];
  // The image's entry point is the program.
  const wanted = reader.at("command").isAbsent === true ? program.slice(1) : program;
  yield answer(
    reader.at("command"),
    all(words.length === wanted.length, ...wanted.map((word, index) => words[index]?.is(word) ?? false)),
    "the container does not run the backup program",
    'set command to ["exai-postgres"] and args to ["dump"]',
  );
  const others = pod.at("containers").each().length + pod.at("initContainers").each().length - 1;
  yield answer(
    pod.at("containers"),
    others === 0,
    "another container of the pod can prevent the run, or keep it from ending",
    "run the backup alone in its pod",
  );
  for (const [variable, field] of [
    ["BACKUP_KIND", "kind"],
    ["BACKUP_CRON", "schedule"],
    ["BACKUP_TIME_ZONE", "timeZone"],
    ["BACKUP_RETENTION_DAYS", "retentionDays"],
  ] as const) {
    const at = job.environment(variable);
    const value = declared.at(field);
    yield answer(
      at,
      all(
        value.isPresent,
        at.is(...[value.text, value.number, `${value.number ?? ""}`].filter((each) => each !== undefined)),
      ),
      `${variable} is ${at.shown}, and the schedule declares ${value.shown}`,
      `set ${variable} to the value of the schedule`,
    );
  }
  yield* onlyKnownVariables(reader);
  yield* repository(context, job);
}

function* onlyKnownVariables(container: Reader): Generator<Answer> {
  for (const variable of container.at("env").each()) {
    const name = variable.at("name");
    yield answer(name, name.is(...VARIABLES), `${name.shown} changes what the backup program does`, "remove it");
  }
  const whole = container.at("envFrom");
  yield answer(
    whole,
    whole.each().length === 0,
    "variables that are not listed change what the backup program does",
    "list them in env",
  );
}

/** The repository can be written, and what the pod mounts exists. */
function* repository(context: StackContext, job: BackupJob): Generator<Answer> {
  const text = job.environment("RESTIC_REPOSITORY").text;
  const volume = text?.startsWith("/") === true ? job.volumeAt(text) : undefined;
  if (volume !== undefined) {
    const claimReadOnly = volume.source.at("persistentVolumeClaim", "readOnly");
    yield answer(
      volume.readOnly,
      all(not(volume.readOnly.is(true)), not(claimReadOnly.is(true))),
      "the repository is mounted read-only",
      "mount it with readOnly: false",
    );
  }
  const named = (kind: string) => objectsOf(context, kind).map(({ inputs }) => inputs.at("metadata", "name"));
  const [claims, secrets] = [named("PersistentVolumeClaim"), named("Secret")];
  for (const mounted of job.pod.at("volumes").each()) {
    const claim = mounted.at("persistentVolumeClaim", "claimName");
    const secret = mounted.at("secret", "secretName");
    for (const [at, declared, kind] of [
      [claim, claims, "claim"],
      [secret, secrets, "Secret"],
    ] as const)
      if (at.text !== undefined)
        yield answer(
          at,
          any(...declared.map((name) => name.is(at.text ?? ""))),
          `the pod waits for the ${kind} ${at.shown}, which the stack does not declare`,
          `declare it, or mount the ${kind} of the backups`,
        );
  }
}

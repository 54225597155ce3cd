import { judgeAnswers, type Answer } from "../../model/answer.ts";
import type { Reader } from "../../model/reader.ts";
import { judgeAt, subjectOf, type StackContext, type StackRule } from "../../model/rule.ts";
import { all, any, not, type Truth } from "../../model/truth.ts";
import { backupJobs, POSTGRES_PLACES, type BackupJob } from "../../reading/backups/jobs.ts";
import { isContainer, isFor } from "../../reading/containers.ts";
import { isSchedule } from "../../reading/backups/declared.ts";

const SOCKET = "/run/postgresql";
const VARIABLES = [
  "BACKUP_ARCHIVE_FULLS",
  "BACKUP_PASSPHRASE_FILE",
  "BACKUP_SCHEDULES",
  "DRILL_SCHEDULE",
  "SCRATCH",
  "SCRATCH_BUFFERS",
];

/** The runner of the local backups has the declared schedules. */
export const runnerSchedules: StackRule = {
  name: "backup-runner-schedules",
  title: "The backup runner runs, and has the declared schedules and the volumes of the database",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  only: { environments: ["local"], reason: "on Kubernetes, CronJobs take the backups" },
  documentation:
    "On Docker, the runner declares the schedules of `BACKUP_SCHEDULES` in the database, whose queue it then works off. There is one runner; it is started, is restarted, runs `exai-postgres runner`, and has exactly the declared schedules (name, kind, time, time zone, retention). It shares the volumes of data, repository and socket with the database, can write to the repository, and has no variable that its program does not read. The database runs `exai-postgres server` without options that turn its archive or its scheduler off.",
  references: [
    { standard: "Requirement", item: "daily full 02:00, hourly incremental, weekly Sunday 03:00" },
    { standard: "NIST SP 800-53", item: "CP-9" },
  ],
  notApplicable: (context) =>
    context.graph.resources.some(isSchedule) ? undefined : "no schedule is declared, which backup-schedules reports",
  *check(context) {
    const schedules = context.graph.resources.filter(isSchedule).map((resource) => subjectOf(resource).inputs);
    if (schedules.length === 0) return;
    const runners = backupJobs(context).filter(({ subject }) => isContainer(subject.resource));
    // A container whose label is unknown may be the runner.
    const unknown = context.graph.resources
      .filter(isContainer)
      .map((resource) => isFor(subjectOf(resource).inputs, "backup-runner"))
      .filter((truth) => typeof truth !== "boolean");
    yield judgeAt(
      { object: "backups", path: "" },
      any(runners.length === 1, ...unknown),
      `${runners.length} containers run the declared backups instead of one`,
      "add the component of exai:backups once",
    );
    for (const runner of runners) yield* judgeAnswers(runner.subject, answers(context, runner, schedules));
  },
};

function* answers(context: StackContext, runner: BackupJob, schedules: readonly Reader[]): Generator<Answer> {
  const { reader } = runner;
  const answer = (at: Reader, holds: Truth, message: string, fix: string): Answer => ({ at, holds, message, fix });
  yield answer(reader.at("start"), reader.at("start").isAbsentOr(true), "the runner is not started", "remove start");
  yield answer(reader.at("mustRun"), reader.at("mustRun").isAbsentOr(true), "the runner may stop", "remove mustRun");
  yield answer(
    reader.at("restart"),
    reader.at("restart").is("always", "unless-stopped", "on-failure"),
    "the runner is not restarted",
    'set restart to "on-failure"',
  );
  yield answer(
    reader.at("entrypoints"),
    all(words(reader, "entrypoints", ["exai-postgres"]), words(reader, "command", ["runner"])),
    "the container does not run the backup runner",
    'set entrypoints to ["exai-postgres"] and command to ["runner"]',
  );
  yield* declaredSchedules(runner, schedules, answer);
  for (const variable of reader.at("envs").each()) {
    const name = /^\w+/.exec(variable.text ?? "")?.[0] ?? "";
    yield answer(
      variable,
      variable.test(() => VARIABLES.includes(name)),
      `${variable.secret ? "a variable" : name} changes what the backup runner does`,
      "remove it",
    );
  }
  const servers = context.graph.resources
    .filter((resource) => isContainer(resource) && isFor(subjectOf(resource).inputs, "postgres") === true)
    .map((resource) => subjectOf(resource).inputs);
  for (const path of [POSTGRES_PLACES.data, POSTGRES_PLACES.repository, SOCKET]) {
    const own = runner.volumeAt(path);
    const shared = servers.map((server) =>
      any(...mountsOf(server, path).map((name) => (own?.volume === undefined ? false : name.is(own.volume)))),
    );
    const writable: Truth = path === POSTGRES_PLACES.repository ? not(own?.readOnly.is(true) ?? true) : true;
    yield answer(
      reader.at("volumes"),
      all(own !== undefined, writable, ...shared),
      `the runner does not share ${path} with the database${path === POSTGRES_PLACES.repository ? ", or cannot write to it" : ""}`,
      `mount the volume of the database on ${path}`,
    );
  }
  for (const server of servers)
    yield answer(
      server.at("command"),
      all(words(server, "entrypoints", ["exai-postgres"]), words(server, "command", ["server"])),
      "the database runs with options that can turn off its archive or the schedules of the backups",
      'set its entrypoints to ["exai-postgres"] and its command to ["server"]',
    );
}

/** The runner's list is that of the declared schedules: `name|kind|frequency|cron|zone|days`, separated by semicolons. */
function* declaredSchedules(
  runner: BackupJob,
  schedules: readonly Reader[],
  answer: (at: Reader, holds: Truth, message: string, fix: string) => Answer,
): Generator<Answer> {
  const at = runner.environment("BACKUP_SCHEDULES");
  const entries = (at.text ?? "").split(";").map((entry) => entry.split("|"));
  for (const schedule of schedules) {
    const wanted = ["name", "kind", "schedule", "timeZone", "retentionDays"].map((field) => schedule.at(field));
    const enabled = schedule.at("enabled").isAbsentOr(true);
    const found = at.test(() =>
      entries.some(([name, kind, , cron, zone, days]) =>
        wanted.every(
          (field, index) =>
            field.test(
              (value) =>
                (typeof value === "string" || typeof value === "number") &&
                [name, kind, cron, zone, days][index] === `${value}`,
            ) === true,
        ),
      ),
    );
    yield answer(
      at,
      any(not(enabled), found),
      `the runner does not have the declared schedule ${schedule.at("name").shown}`,
      "set BACKUP_SCHEDULES to the declared schedules",
    );
  }
}

/** Whether a list of words is exactly the given one. */
function words(container: Reader, key: string, wanted: readonly string[]): Truth {
  const list = container.at(key).each();
  return all(list.length === wanted.length, ...wanted.map((word, index) => list[index]?.is(word) ?? false));
}

function mountsOf(container: Reader, path: string): readonly Reader[] {
  return container
    .at("volumes")
    .each()
    .filter((volume) => volume.at("containerPath").text === path)
    .map((volume) => volume.at("volumeName"));
}

import type { Reader } from "../../model/reader.ts";
import { judgeAt, placeOf, subjectOf, type StackRule, type Subject } from "../../model/rule.ts";
import { all, any, type Truth } from "../../model/truth.ts";
import { objectsOf } from "../../reading/kubernetes/objects.ts";

const DRILL = "exai:backups:DrillSchedule";

/** Declared drills run. */
export const drillJobs: StackRule = {
  name: "backup-drills-run",
  title: "A CronJob runs each declared restore drill, at its time and in its time zone",
  level: "mandatory",
  scope: "stack",
  onUnknown: "fail",
  only: { environments: ["staging", "prod"], reason: "on Docker, the runner takes the drills from its queue" },
  documentation:
    "A `DrillSchedule` is a declaration; a CronJob restores the newest dump. It has the declared `schedule` and `timeZone`, is not suspended, and has `concurrencyPolicy: Forbid`. Its container `exai-dumps drill` has the name of the drill, and the one before it, `exai-dumps fetch`, has the repository and its key.",
  references: [
    { standard: "Requirement", item: "RTO under one hour, restore drills" },
    { standard: "NIST SP 800-53", item: "CP-9(1)" },
  ],
  notApplicable: ({ graph }) =>
    graph.resources.some(({ type }) => type === DRILL)
      ? undefined
      : "no drill is declared, which backup-restore-drills reports",
  *check(context) {
    const jobs = objectsOf(context, "CronJob");
    for (const drill of context.graph.resources.filter(({ type }) => type === DRILL).map(subjectOf)) {
      const { inputs } = drill;
      yield judgeAt(
        placeOf(drill, "schedule"),
        any(inputs.at("enabled").is(false), ...jobs.map((job) => runs(job, inputs))),
        `no CronJob runs the drill ${inputs.at("name").shown} at ${inputs.at("schedule").shown}, ${inputs.at("timeZone").shown}`,
        "declare its CronJob with the schedule, the time zone, the repository and its key, and do not suspend it",
      );
    }
  },
};

function runs({ inputs }: Subject, declared: Reader): Truth {
  const spec = inputs.at("spec");
  const run = spec.at("jobTemplate", "spec");
  const pod = run.at("template", "spec");
  const program = (of: "containers" | "initContainers", argument: string) =>
    pod
      .at(of)
      .each()
      .filter(
        (container) =>
          all(container.at("command").includes("exai-dumps"), container.at("args").includes(argument)) === true,
      );
  const has = (container: Reader, name: string, value: (at: Reader) => Truth): Truth =>
    any(
      ...container
        .at("env")
        .each()
        .map((variable) => all(variable.at("name").is(name), value(variable))),
    );
  const set = (variable: Reader) => any(variable.at("value").isPresent, variable.at("valueFrom").isPresent);
  return all(
    same(spec.at("schedule"), declared.at("schedule")),
    same(spec.at("timeZone"), declared.at("timeZone")),
    spec.at("suspend").isAbsentOr(false),
    run.at("suspend").isAbsentOr(false),
    spec.at("concurrencyPolicy").is("Forbid"),
    any(
      ...program("containers", "drill").map((each) =>
        has(each, "DRILL_NAME", (at) => same(at.at("value"), declared.at("name"))),
      ),
    ),
    any(
      ...program("initContainers", "fetch").map((each) =>
        all(has(each, "RESTIC_REPOSITORY", set), has(each, "RESTIC_PASSWORD_FILE", set)),
      ),
    ),
  );
}

function same(one: Reader, other: Reader): Truth {
  return other.text === undefined ? all(other.isPresent, false) : one.is(other.text);
}

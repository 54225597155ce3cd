import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import type { Inputs, Resource, ResourceGraph, Value } from "../../contract/graph.ts";
import { RULES } from "../../policies/rules/index.ts";
import { capture } from "../../synth/capture.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { altered, outcome } from "./support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
type Path = readonly (string | number)[];

let stacks: Readonly<Record<"prod" | "local", ResourceGraph>>;
beforeAll(async () => {
  const captured = (stack: string) => capture(stack, stackFileSource(ROOT, stack, { defers: true }));
  stacks = { prod: await captured("prod"), local: await captured("local") };
});

/** The places that a rule finds in a stack of this project, in which one resource is changed. */
function found(stack: "prod" | "local", rule: string, name = "", path: Path = [], value?: Value): string[] {
  const judged = RULES.find((each) => each.name === rule);
  if (judged === undefined) throw new Error(`there is no rule ${rule}`);
  const change = (each: Resource): Resource =>
    each.name === name && each.custom
      ? { ...each, inputs: altered(each.inputs, path, extended(at(each.inputs, path), value)) as Inputs }
      : each;
  const { findings } = outcome(judged, stack, ...stacks[stack].resources.map(change));
  return findings.map(({ place }) => `${place.resource?.name ?? place.object ?? ""} ${place.path}`);
}

/** The value at a path. */
function at(inputs: Value, path: Path): Value {
  return path.reduce<Value>((value, key) => (value as Inputs | null)?.[key] ?? null, inputs);
}

/** A value, or a list with one more: `{ append }`. */
function extended(list: Value, value?: Value): Value | undefined {
  const more = typeof value === "object" && value !== null && "append" in value ? value.append : undefined;
  return more === undefined ? value : [...(list as readonly Value[]), more];
}

const RUN = ["spec", "jobTemplate", "spec"] as const;
const POD = [...RUN, "template", "spec"] as const;
const DUMP = [...POD, "containers", 0] as const;
const NODES = [...POD, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"] as const;
const variable = (name: string, value: string) => ({ append: { name, value } });

describe("the CronJobs of this project", () => {
  it("run the declared backups", () => {
    for (const rule of ["backup-jobs-run", "backup-jobs-on-time", "backup-failure-domain", "backup-schedules"])
      expect(found("prod", rule), rule).toEqual([]);
  });

  it.each<readonly [path: Path, value: Value]>([
    [[...RUN, "suspend"], true],
    [[...RUN, "parallelism"], 0],
    [[...RUN, "completions"], 0],
    [[...RUN, "managedBy"], "example.com/other"],
    [[...RUN, "backoffLimit"], 0],
    [[...RUN, "activeDeadlineSeconds"], 1],
    [[...RUN, "activeDeadlineSeconds"], 100_000],
    [[...RUN, "ttlSecondsAfterFinished"], 0],
    [[...RUN, "podFailurePolicy"], { rules: [{ action: "FailJob" }] }],
    [["spec", "failedJobsHistoryLimit"], 0],
    [["spec", "startingDeadlineSeconds"], 5],
    [[...POD, "activeDeadlineSeconds"], 10],
    [[...POD, "restartPolicy"], "Always"],
    [[...POD, "nodeName"], "node-1"],
    [[...POD, "nodeSelector"], { disk: "ssd" }],
    [[...POD, "nodeSelector"], { "kubernetes.io/os": "windows" }],
    [[...POD, "schedulerName"], "mine"],
    [[...POD, "schedulingGates"], [{ name: "wait" }]],
    [[...POD, "priorityClassName"], "unknown"],
    [[...POD, "runtimeClassName"], "unknown"],
    [
      [...POD, "affinity"],
      {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { labelSelector: { matchLabels: { app: "none" } }, topologyKey: "x" },
          ],
        },
      },
    ],
    [NODES, { nodeSelectorTerms: [{ matchExpressions: [{ key: "pool", operator: "In", values: ["a"] }] }] }],
    [[...DUMP, "resources", "requests", "cpu"], "1000"],
    [[...DUMP, "resources", "requests", "memory"], "9Ti"],
    [[...DUMP, "resources", "requests", "nvidia.com/gpu"], "1"],
    [[...DUMP, "command"], ["true"]],
    [
      [...DUMP, "args"],
      ["dump", "--help"],
    ],
    [[...DUMP, "args"], ["runner"]],
    [[...DUMP, "livenessProbe"], { exec: { command: ["false"] } }],
    [[...DUMP, "lifecycle"], { postStart: { exec: { command: ["kill", "1"] } } }],
    [[...DUMP, "envFrom"], [{ configMapRef: { name: "x" } }]],
    [[...POD, "initContainers"], [{ name: "wait", command: ["sleep", "infinity"] }]],
    [[...POD, "containers"], { append: { name: "wait", command: ["sleep", "infinity"] } }],
    [[...DUMP, "env"], variable("PATH", "/tmp")],
    [[...DUMP, "env"], variable("BACKUP_RETENTION_DAYS", "0")],
    [[...DUMP, "env"], variable("BACKUP_CRON", "0 3 * * *")],
    [[...DUMP, "env"], variable("BACKUP_NAME", "weekly")],
    [[...POD, "volumes", 0, "secret", "secretName"], "other"],
    [[...POD, "volumes", 1, "persistentVolumeClaim"], { claimName: "backup-repository", readOnly: true }],
    [[...POD, "volumes", 1, "persistentVolumeClaim"], { claimName: "other" }],
    [[...DUMP, "volumeMounts", 1, "readOnly"], true],
    [[...DUMP, "resources", "limits", "memory"], "1Mi"],
    [[...DUMP, "resources", "limits", "memory"], "100M"],
  ])("and not with %j %j", (path, value) => {
    expect(found("prod", "backup-jobs-run", "backups-daily", path, value)).not.toEqual([]);
  });

  it.each<readonly [path: Path, value: Value]>([
    [[...POD, "nodeSelector"], { "kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64" }],
    [
      NODES,
      { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/arch", operator: "In", values: ["amd64"] }] }] },
    ],
    [[...POD, "tolerations"], [{ operator: "Exists" }]],
    [[...RUN, "backoffLimit"], 6],
    [[...DUMP, "resources", "limits", "memory"], "512Mi"],
    [[...RUN, "activeDeadlineSeconds"], 3600],
    [
      [...DUMP, "command"],
      ["exai-postgres", "dump"],
    ],
  ])("and with %j %j", (path, value) => {
    const expected = path.at(-1) === "command" ? ["backups-daily"] : [];
    const places = found("prod", "backup-jobs-run", "backups-daily", path, value).map((place) => place.split(" ")[0]);
    // The arguments are still there: three words instead of two.
    expect(places).toEqual(expected);
  });

  it.each([
    ["rest:http://localhost:8000/", 1],
    ["rest:http://127.0.0.1/", 1],
    ["rest:http://[::1]:8000/", 1],
    ["rest:http://backups/", 1],
    ["rest:http://backups.exai-prod.svc/", 1],
    ["s3:http://minio.exai.svc.cluster.local:9000/b", 1],
    ["sftp:root@localhost:/backups", 1],
    ["rclone:local:/tmp", 1],
    ["local:/tmp/repository", 1],
    ["/tmp/repository", 1],
    ["s3:https://s3.example.com/exai", 0],
    ["s3:s3.amazonaws.com/exai", 0],
    ["rest:https://user@backups.example.com:8000/x", 0],
    ["sftp:backup@host.example.com:/srv/restic", 0],
    ["b2:bucket:path", 0],
    ["azure:container:/", 0],
  ])("a repository at %s is in %i findings", (repository, count) => {
    // Of two variables of one name, the last one is in force.
    const last = variable("RESTIC_REPOSITORY", repository);
    expect(found("prod", "backup-failure-domain", "backups-daily", [...DUMP, "env"], last)).toHaveLength(count);
  });
});

describe("the runner on this machine", () => {
  it("has the declared schedules", () => {
    expect(found("local", "backup-runner-schedules")).toEqual([]);
  });

  it.each<readonly [path: Path, value: Value]>([
    [["command"], ["server"]],
    [["entrypoints"], ["true"]],
    [["start"], false],
    [["mustRun"], false],
    [["restart"], "no"],
    [["envs"], ["BACKUP_SCHEDULES="]],
    [["envs"], ["BACKUP_SCHEDULES=daily|full|daily|0 2 * * *|UTC|1"]],
    [["envs"], { append: "PATH=/tmp" }],
    [["volumes"], []],
  ])("and not with %j %j", (path, value) => {
    expect(found("local", "backup-runner-schedules", "backups-runner", path, value)).not.toEqual([]);
  });

  it("works for a database with its archive", () => {
    expect(
      found("local", "backup-runner-schedules", "postgres-server", ["command"], ["server", "-c", "archive_mode=off"]),
    ).not.toEqual([]);
  });
});

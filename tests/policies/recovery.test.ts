import { describe, expect, it } from "vitest";
import { Unknown, type Inputs, type Resource, type Value } from "../../contract/graph.ts";
import { RULES } from "../../policies/rules/index.ts";
import { altered, DOCKER, outcome, POD_KINDS, podResource, resource, soundDocker, soundPodSpec } from "./support.ts";

const judged = (name: string, ...resources: readonly Resource[]) => {
  const rule = RULES.find((candidate) => candidate.name === name);
  if (rule === undefined) throw new Error(`no rule ${name}`);
  return outcome(rule, "prod", ...resources);
};
const found = (name: string, ...resources: readonly Resource[]) =>
  judged(name, ...resources).findings.map((finding) => finding.place.resource?.name ?? finding.place.object);

const schedule = (kind: string, cron: Value, more: Inputs = {}) =>
  resource("exai:backups:BackupSchedule", { name: kind, kind, schedule: cron, ...more }, { name: kind });

describe("the recovery point", () => {
  const database = (inputs: Inputs) => resource("exai:database:SupabaseDatabase", inputs, { name: "database" });

  it("needs an archived log, of the provider or of this project, or a frequent schedule", () => {
    const hourly = schedule("incremental", "0 * * * *");
    expect(found("backup-recovery-point", database({ pointInTimeRecovery: true }), hourly)).toEqual([]);
    expect(found("backup-recovery-point", database({ walArchiving: true }), hourly)).toEqual([]);
    expect(found("backup-recovery-point", database({}), hourly)).toEqual(["database"]);
    expect(found("backup-recovery-point", database({ walArchiving: "yes" }), hourly)).toEqual(["database"]);
    expect(found("backup-recovery-point", database({}), schedule("incremental", "*/10 * * * *"))).toEqual([]);
    for (const cron of ["*/15 * * * *", "*/10 8-18 * * *", "soon"])
      expect(found("backup-recovery-point", database({}), schedule("incremental", cron)), cron).toEqual(["database"]);
    expect(found("backup-recovery-point", hourly)).toEqual(["database"]);
    expect(
      found("backup-recovery-point", database({}), schedule("incremental", "*/10 * * * *", { enabled: false })),
    ).toEqual(["database"]);
  });

  it("is not declared by an unknown value", () => {
    expect(found("backup-recovery-point", database({ walArchiving: new Unknown("walArchiving") }))).toEqual([
      "database",
    ]);
  });
});

it("a restore drill runs monthly, with a deadline under one hour", () => {
  const drill = (cron: string, deadlineMinutes: Value) => schedule("drill", cron, { deadlineMinutes });
  expect(found("backup-restore-drills", drill("0 4 1 * *", 45))).toEqual([]);
  expect(found("backup-restore-drills", drill("0 4 1 * *", 60))).toEqual(["drill"]);
  expect(found("backup-restore-drills", drill("0 4 1 1 *", 45))).toEqual(["drill"]);
  expect(found("backup-restore-drills", schedule("full", "0 4 1 * *"))).toEqual(["backups"]);
});

describe("a container that takes backups", () => {
  const cronJob = POD_KINDS.find(([type]) => type.endsWith("CronJob"));
  if (cronJob === undefined) throw new Error("CronJob is among the kinds");
  const spec: Inputs = {
    ...soundPodSpec(),
    containers: [
      {
        name: "dump",
        env: [
          { name: "RESTIC_REPOSITORY", value: "/repository" },
          { name: "RESTIC_PASSWORD_FILE", value: "/run/secrets/exai/repository-password" },
        ],
        volumeMounts: [
          { name: "secrets", mountPath: "/run/secrets/exai" },
          { name: "repository", mountPath: "/repository" },
        ],
      },
    ],
    volumes: [
      { name: "secrets", secret: { secretName: "backup" } },
      { name: "repository", persistentVolumeClaim: { claimName: "backup-repository" } },
    ],
  };
  const job = (change: readonly (string | number)[] = [], value?: Value) =>
    podResource(cronJob, change.length === 0 ? spec : (altered(spec, change, value) as Inputs), {
      labels: { "exai.component": "backup" },
    });
  const hosted = resource("supabase:index/project:Project", {}, { name: "project" });
  const runner = (more: Inputs = {}) =>
    resource(DOCKER, {
      ...soundDocker(),
      labels: [{ label: "exai.component", value: "backup-runner" }],
      envs: ["BACKUP_PASSPHRASE_FILE=/run/secrets/exai/backup-passphrase"],
      volumes: [
        { volumeName: "secrets", containerPath: "/run/secrets/exai", readOnly: true },
        { volumeName: "data", containerPath: "/var/lib/postgresql/data", readOnly: true },
        { volumeName: "repository", containerPath: "/var/lib/pgbackrest" },
      ],
      ...more,
    });

  it("encrypts them with a mounted secret", () => {
    expect(found("backup-encryption", job())).toEqual([]);
    expect(found("backup-encryption", runner())).toEqual([]);
    expect(found("backup-encryption", job(["containers", 0, "env", 1], undefined))).toHaveLength(1);
    expect(found("backup-encryption", job(["volumes", 0], { name: "secrets", emptyDir: {} }))).toHaveLength(1);
    expect(found("backup-encryption", job(["containers", 0, "args"], ["--insecure-no-password"]))).toHaveLength(1);
    expect(found("backup-encryption", runner({ envs: [] }))).toHaveLength(1);
    expect(found("backup-encryption", runner({ volumes: [] }))).toHaveLength(1);
    expect(found("backup-encryption"), "nothing takes backups").toEqual(["backups"]);
    const open = judged("backup-encryption", job(["containers", 0, "env", 1, "value"], new Unknown("file")));
    expect([open.findings.length, open.deferred.length]).toEqual([0, 1]);
  });

  it("keeps them in another failure domain than the data", () => {
    expect(found("backup-failure-domain", job(), hosted)).toEqual([]);
    expect(
      found("backup-failure-domain", job(["containers", 0, "env", 0, "value"], "s3:https://s3.example.com/y")),
    ).toEqual([]);
    expect(found("backup-failure-domain", job()), "the database may be in the cluster").toHaveLength(1);
    const inside = POD_KINDS[0];
    if (inside === undefined) throw new Error("Pod is among the kinds");
    const mounts = [{ name: "data", mountPath: "/var/lib/postgresql/data" }];
    const server = podResource(inside, altered(soundPodSpec(), ["containers", 0, "volumeMounts"], mounts) as Inputs);
    expect(found("backup-failure-domain", job(), hosted, server)).toHaveLength(1);
    expect(
      found("backup-failure-domain", job(["volumes", 1], { name: "repository", emptyDir: {} }), hosted),
    ).toHaveLength(1);
    const messages = (volume: string) =>
      judged(
        "backup-failure-domain",
        runner({
          volumes: [
            { volumeName: "data", containerPath: "/var/lib/postgresql/data" },
            { volumeName: volume, containerPath: "/var/lib/pgbackrest" },
          ],
        }),
      ).findings.map((finding) => finding.message);
    expect(messages("repository")).toEqual(["the repository is on the machine that holds the data"]);
    expect(messages("data")).toEqual(["the repository is on the volume that holds the data"]);
  });

  it("covers every volume that keeps data", () => {
    const volume = (name: string, more: Partial<Resource> = {}) =>
      resource("docker:index/volume:Volume", { name }, { name, ...more });
    const writer = (volumeName: string, more: Inputs = {}) =>
      resource(DOCKER, { ...soundDocker(), volumes: [{ volumeName, containerPath: "/x" }], ...more });
    const data = volume("data");
    expect(found("backup-volumes", data, volume("repository"), writer("data"), runner())).toEqual([]);
    expect(found("backup-volumes", volume("other"), writer("other"), runner())).toEqual(["other"]);
    expect(found("backup-volumes", volume("files"), writer("files", { start: false }), runner())).toEqual([]);
    expect(
      judged("backup-volumes", volume("other"), writer("other"), resource(DOCKER, { labels: new Unknown("labels") }))
        .findings,
    ).toHaveLength(1);

    const component = (withoutBackup: Value) =>
      resource("exai:x:Y", { withoutBackup }, { name: "above", urn: "urn:above" });
    const child = volume("other", { parent: "urn:above" });
    expect(found("backup-volumes", child, component(["other"]), writer("other"), runner())).toEqual([]);
    expect(found("backup-volumes", child, component(["another"]), writer("other"), runner())).toEqual(["other"]);

    const claim = (name: string) =>
      resource("kubernetes:core/v1:PersistentVolumeClaim", { metadata: { name } }, { name });
    expect(found("backup-volumes", claim("backup-repository"), job())).toEqual([]);
    expect(found("backup-volumes", claim("uploads"), job())).toEqual(["uploads"]);
    const set = resource(
      "kubernetes:apps/v1:StatefulSet",
      { spec: { volumeClaimTemplates: [{ metadata: { name: "data" } }] } },
      { name: "set" },
    );
    expect(found("backup-volumes", set, job())).toEqual(["set"]);
  });
});

it("replicas are spread with constraints that can be satisfied", () => {
  const labels = { "exai.component": "server" };
  const sound = {
    topologyKey: "kubernetes.io/hostname",
    maxSkew: 1,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: labels },
  };
  const deployment = (more: Inputs, replicas: Value = 3, strategy: Inputs = {}) =>
    resource(
      "kubernetes:apps/v1:Deployment",
      { spec: { replicas, strategy, template: { metadata: { labels }, spec: { ...soundPodSpec(), ...more } } } },
      { name: "server" },
    );
  const constraints = (change: Inputs) => ({ topologySpreadConstraints: [{ ...sound, ...change }] });
  expect(found("workload-spread", deployment(constraints({})))).toEqual([]);
  expect(found("workload-spread", deployment({}, 1))).toEqual([]);
  expect(found("workload-spread", deployment({}))).toEqual(["server"]);
  expect(found("workload-spread", deployment(constraints({ topologyKey: "other" })))).toEqual(["server"]);
  expect(found("workload-spread", deployment(constraints({ labelSelector: { matchLabels: { a: "b" } } })))).toEqual([
    "server",
  ]);
  const demanded = { whenUnsatisfiable: "DoNotSchedule" };
  expect(found("workload-spread", deployment(constraints({ ...demanded, minDomains: 3 })))).toEqual([]);
  expect(found("workload-spread", deployment(constraints({ ...demanded, minDomains: 4 })))).toEqual(["server"]);
  const apart = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: labels } },
        ],
      },
    },
  };
  expect(found("workload-spread", deployment(apart))).toEqual([]);
  expect(found("workload-spread", deployment(apart, 3, { rollingUpdate: { maxUnavailable: 0 } }))).toEqual(["server"]);
});

it("a CronJob runs the declared drill, with the repository", () => {
  const declared = { name: "monthly", kind: "drill", schedule: "0 4 1 * *", timeZone: "UTC", deadlineMinutes: 45 };
  const variable = (name: string) => ({ name, value: "x" });
  const judge = (spec: Inputs, pod: Inputs = {}) =>
    found(
      "backup-drills-run",
      resource("exai:backups:DrillSchedule", declared, { name: "drill" }),
      resource("kubernetes:batch/v1:CronJob", {
        spec: {
          schedule: "0 4 1 * *",
          timeZone: "UTC",
          concurrencyPolicy: "Forbid",
          jobTemplate: {
            spec: {
              template: {
                spec: {
                  initContainers: [
                    {
                      command: ["exai-dumps"],
                      args: ["fetch"],
                      env: [variable("RESTIC_REPOSITORY"), variable("RESTIC_PASSWORD_FILE")],
                    },
                  ],
                  containers: [
                    { command: ["exai-dumps"], args: ["drill"], env: [{ name: "DRILL_NAME", value: "monthly" }] },
                  ],
                  ...pod,
                },
              },
            },
          },
          ...spec,
        },
      }),
    );
  expect(judge({})).toEqual([]);
  expect(judge({ schedule: "0 5 1 * *" })).toEqual(["drill"]);
  expect(judge({ timeZone: null })).toEqual(["drill"]);
  expect(judge({ suspend: true })).toEqual(["drill"]);
  expect(judge({ concurrencyPolicy: "Allow" })).toEqual(["drill"]);
  expect(judge({}, { containers: [{ command: ["true"] }] })).toEqual(["drill"]);
  expect(
    judge({}, { initContainers: [{ command: ["exai-dumps"], args: ["fetch"], env: [variable("HOME")] }] }),
  ).toEqual(["drill"]);
});

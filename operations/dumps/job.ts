import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../contract/errors.ts";
import type { StepEvent } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import type { ContainerStatus, CronJob, Found, Job, Pod } from "../rollout/kubernetes/api-types.ts";
import type { Cluster } from "../rollout/kubernetes/cluster.ts";

/** A stack whose database is hosted, and whose dumps the CronJobs of its namespace make. */
export interface DumpPlace {
  readonly stack: string;
  readonly instance: string;
  readonly cluster: Cluster;
}

/** A Job as a CronJob describes it, with what differs. */
export interface JobRequest {
  readonly cronJob: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Seconds that the Job may take. @default those of a scheduled run */
  readonly deadlineSeconds?: number;
  /** What differs, by the container's name. */
  readonly containers?: Readonly<Record<string, ContainerChange>>;
}

export interface ContainerChange {
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Names of volumes that it does not mount. */
  readonly without?: readonly string[];
}

/** What a container has written. */
export interface Output {
  /** Undefined while it runs. */
  readonly code: number | undefined;
  readonly text: string;
}

/** Seconds until the first container of a pod must run: its node may have to pull the image and attach the volume. */
const START_SECONDS = 300;
/** Pauses between two looks: the first, and the longest, for a Job of hours. */
const POLL_MS = { first: 500, longest: 10_000 };
/** Last lines of a log that are read. */
const LINES = 2000;

/** Reasons for a container not to start that do not pass with time. */
const PERMANENT = ["CreateContainerConfigError", "ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName"];

const JOBS = { apiVersion: "batch/v1", kind: "Job" } as const;

/** The Job of a CronJob; pure. The CronJob owns it, so it goes with the stack. */
export function jobOf(cronJob: Found<CronJob>, request: JobRequest): Job {
  const { name, labels, deadlineSeconds, containers = {} } = request;
  const { spec, metadata } = cronJob.spec.jobTemplate;
  const pod = spec?.template.spec;
  type Container = NonNullable<typeof pod>["containers"][number];
  const changed = (container: Container): Container => {
    const { command: program, args, environment = {}, without = [] } = containers[container.name] ?? {};
    return {
      ...container,
      ...(program === undefined ? {} : { command: [...program] }),
      ...(args === undefined ? {} : { args: [...args] }),
      env: [
        ...(container.env ?? []).filter((variable) => !(variable.name in environment)),
        ...Object.entries(environment).map(([key, value]) => ({ name: key, value })),
      ],
      volumeMounts: (container.volumeMounts ?? []).filter((mount) => !without.includes(mount.name)),
    };
  };
  const { uid = "", name: owner } = cronJob.metadata;
  return {
    ...JOBS,
    metadata: {
      name,
      ...(cronJob.metadata.namespace === undefined ? {} : { namespace: cronJob.metadata.namespace }),
      labels: { ...metadata?.labels, ...labels },
      annotations: { "cronjob.kubernetes.io/instantiate": "manual" },
      ownerReferences: [{ apiVersion: "batch/v1", kind: "CronJob", name: owner, uid, controller: true }],
    },
    spec: {
      ...spec,
      backoffLimit: 0,
      ...(deadlineSeconds === undefined ? {} : { activeDeadlineSeconds: deadlineSeconds }),
      template: {
        ...spec?.template,
        spec: {
          ...pod,
          ...(pod?.initContainers === undefined ? {} : { initContainers: pod.initContainers.map(changed) }),
          containers: (pod?.containers ?? []).map(changed),
        },
      },
    },
  };
}

/** A Job of the stack's backups that a command has made. */
export class DumpJob {
  readonly name: string;
  readonly #place: DumpPlace;

  private constructor(place: DumpPlace, name: string) {
    this.#place = place;
    this.name = name;
  }

  /** @throws UserError `not-found` if the stack has no such CronJob */
  static async start(place: DumpPlace, request: JobRequest): Promise<DumpJob> {
    const reference = { apiVersion: "batch/v1", kind: "CronJob", name: request.cronJob };
    const cronJob = await place.cluster.read<CronJob>(reference);
    if (cronJob === undefined)
      throw new UserError(
        "not-found",
        `CronJob ${request.cronJob}`,
        `does not exist in namespace ${place.cluster.namespace}`,
        fix`${command(`up ${place.stack}`)}`,
      );
    await place.cluster.create(jobOf(cronJob, request));
    return new DumpJob(place, request.name);
  }

  /**
   * Follows a container until it ends, or until what it has written is enough.
   *
   * @throws UserError if it cannot start, or the Job is ended before it
   */
  async *output(
    container: string,
    step: Pick<StepEvent, "type" | "id" | "title">,
    { signal, enough }: { readonly signal?: AbortSignal | undefined; readonly enough?: (text: string) => boolean },
  ): AsyncGenerator<StepEvent, Output, void> {
    const deadline = performance.now() + START_SECONDS * 1000;
    let said = "";
    for (let pause = POLL_MS.first; ; pause = Math.min(pause * 1.1, POLL_MS.longest)) {
      const pod = await this.#pod();
      const status = statusesOf(pod).find(({ name }) => name === container);
      const code = status?.state?.terminated?.exitCode;
      if (code !== undefined || status?.state?.running !== undefined) {
        const text = await this.#place.cluster.log(pod?.metadata.name ?? "", container, LINES, false);
        if (code !== undefined || enough?.(text) === true) return { code, text };
        const detail = progressOf(text);
        if (detail !== said) yield { ...step, status: "progress", detail };
        said = detail;
      } else await this.#refuseStuck(pod, performance.now() > deadline);
      await sleep(pause, undefined, { signal });
    }
  }

  /** Removes the Job with its pod. */
  async remove(): Promise<void> {
    await this.#place.cluster.remove({
      ...JOBS,
      metadata: { name: this.name, namespace: this.#place.cluster.namespace },
    });
  }

  async #pod(): Promise<Found<Pod> | undefined> {
    const [pod] = await this.#place.cluster.list<Pod>("v1", "Pod", { "batch.kubernetes.io/job-name": this.name });
    return pod;
  }

  /** @throws UserError if the container will not start */
  async #refuseStuck(pod: Found<Pod> | undefined, late: boolean): Promise<void> {
    const statuses = statusesOf(pod);
    const waiting = statuses.map(({ state }) => state?.waiting).find((each) => PERMANENT.includes(each?.reason ?? ""));
    const ended = statuses.find(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
    const job = await this.#place.cluster.read<Job>({ ...JOBS, name: this.name });
    const failed = job?.status?.conditions?.find(({ type, status }) => type === "Failed" && status === "True");
    const begun = statuses.some(({ state }) => state?.running !== undefined || state?.terminated !== undefined);
    const problem =
      waiting !== undefined
        ? `${waiting.reason ?? ""}: ${waiting.message ?? ""}`
        : failed !== undefined
          ? `it was ended: ${failed.reason ?? ""}, ${failed.message ?? ""}`
          : job === undefined
            ? "it was deleted"
            : ended !== undefined
              ? `container ${ended.name} ended with ${String(ended.state?.terminated?.exitCode)}`
              : late && !begun
                ? `no container runs after ${String(START_SECONDS)} s${unscheduled(pod)}`
                : undefined;
    if (problem === undefined) return;
    throw new UserError(
      "failed",
      `Job ${this.name}`,
      problem,
      `kubectl --namespace ${this.#place.cluster.namespace} get events`,
    );
  }
}

function statusesOf(pod: Pod | undefined): readonly ContainerStatus[] {
  return [...(pod?.status?.initContainerStatuses ?? []), ...(pod?.status?.containerStatuses ?? [])];
}

/** Why no node takes the pod. */
function unscheduled(pod: Pod | undefined): string {
  const message = pod?.status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False");
  return message?.message === undefined ? "" : `: ${message.message}`;
}

/** The last line of the form `2026-11-30T02:00:00Z exai-dump: dumping`. */
function progressOf(text: string): string {
  return [...text.matchAll(/^\S+Z exai-[a-z]+: (.*)$/gm)].at(-1)?.[1] ?? "";
}

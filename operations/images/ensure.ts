import type { Operation, ProgressEvent } from "../../contract/events.ts";
import { IMAGE_LABELS, LOCAL_IMAGES } from "../../contract/images.ts";
import { imageLabels } from "../docker/cli.ts";
import { buildImage, isBuilt } from "./build.ts";
import { BASE_IMAGE, ensureBase, type BaseOutcome } from "./base.ts";
import { merge } from "./merge.ts";
import { Registries } from "./registry.ts";
import { sourceOf, type ImageSource } from "./sources.ts";

/** How images are provided. */
export interface EnsureOptions {
  readonly registries?: Registries;
  /** Base of the images that are built here. */
  readonly base?: string;
  readonly signal?: AbortSignal;
}

/** Images that are neither here nor can be pulled or made. */
export interface EnsureOutcome {
  readonly missing: string[];
}

interface Job {
  readonly reference: string;
  /** Whether an image of this name is here, perhaps built from older sources. */
  readonly present: boolean;
  readonly source: ImageSource | undefined;
}

type Emit = (event: ProgressEvent) => void;

/** The stack's own images under their usual tags: they follow their sources. Other tags are builds of the user. */
const FOLLOWED: readonly string[] = [
  LOCAL_IMAGES.referenceServer,
  LOCAL_IMAGES.postgres,
  LOCAL_IMAGES.pgbouncer,
  LOCAL_IMAGES.objectStore,
];

/** What there may be to do: images that are not here, and those that follow their sources, as stand-ins do too. */
async function plan(references: readonly string[], signal: AbortSignal): Promise<Job[]> {
  const jobs = [...new Set(references)].map(async (reference): Promise<Job[]> => {
    const labels = await imageLabels(reference, { signal });
    const source = sourceOf(reference);
    // Images inherit the labels of their base, which may be a stand-in itself.
    const standIn = source?.standIn !== undefined && labels?.[IMAGE_LABELS.standIn] === source.standIn;
    if (labels !== undefined && !standIn && !FOLLOWED.includes(reference)) return [];
    return [{ reference, present: labels !== undefined, source }];
  });
  return (await Promise.all(jobs)).flat();
}

/** What {@link ensureImages} would do for an image. */
export interface ImageChange {
  readonly image: string;
  /** `pull`: from its registry; where none answers, a stand-in is made. `rebuild`: its sources have changed. */
  readonly action: "pull" | "build" | "rebuild";
}

/** What {@link ensureImages} would do. Nothing is changed, and no registry is asked. */
export async function imageChanges(
  references: readonly string[],
  signal: AbortSignal,
): Promise<readonly ImageChange[]> {
  const changes = (await plan(references, signal)).map(async (job): Promise<ImageChange[]> => {
    const { reference: image, present, source } = job;
    if (!present) return [{ image, action: source === undefined || source.standIn !== undefined ? "pull" : "build" }];
    if (source === undefined || (await isBuilt(await source.define(image, BASE_IMAGE, signal)))) return [];
    return [{ image, action: "rebuild" }];
  });
  return (await Promise.all(changes)).flat();
}

/**
 * Makes every image available: one that is here is left alone, else it is pulled, else made on this machine under the
 * same tag, which a note says. Images that this project builds are built and never pulled; under their usual tags they and the
 * stand-ins are built again when their sources have changed.
 *
 * Returns the images that are not available, each with a note, for example Grafana's. Throws a `UserError` when
 * Docker cannot be reached, something is missing that making an image needs, or a build fails.
 */
export async function* ensureImages(
  references: readonly string[],
  options: EnsureOptions = {},
): Operation<EnsureOutcome> {
  const { registries = new Registries(), base = BASE_IMAGE } = options;
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const jobs = await plan(references, signal);
  const missing: string[] = [];

  let baseReady: Promise<BaseOutcome> | undefined;
  const prepareBase = async (emit: Emit): Promise<void> => {
    if (baseReady) {
      await baseReady;
      return;
    }
    const step = { type: "step", id: `image:${base}`, title: `image ${base}` } as const;
    const started = performance.now();
    baseReady = ensureBase(base, registries, signal);
    // Reported only if it takes a while: a base that exists is not worth a line.
    const slow = setTimeout(() => {
      emit({ ...step, status: "started" });
    }, 500);
    try {
      const outcome = await baseReady;
      if (outcome !== "present")
        emit({
          ...step,
          status: "done",
          detail: outcome === "made" ? "made with mmdebstrap" : "pulled",
          seconds: (performance.now() - started) / 1000,
        });
    } finally {
      clearTimeout(slow);
    }
  };

  const provide = async ({ reference, present, source }: Job, emit: Emit): Promise<void> => {
    const step = { type: "step", id: `image:${reference}`, title: `image ${reference}` } as const;
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    if (present && source) {
      await prepareBase(emit);
      if ((await buildImage(await source.define(reference, base, signal))) === "built")
        emit({ ...step, status: "done", detail: "built again: its sources have changed", seconds: seconds() });
      return;
    }
    const own = source !== undefined && source.standIn === undefined;
    emit({ ...step, status: "started" });
    let reason = "";
    if (!own) {
      const pull = await registries.pull(reference, signal);
      if (pull.pulled) {
        emit({ ...step, status: "done", detail: "pulled", seconds: seconds() });
        return;
      }
      ({ reason } = pull);
    }
    if (!source) {
      missing.push(reference);
      emit({ ...step, status: "skipped", detail: reason, seconds: seconds() });
      emit({
        type: "note",
        level: "warning",
        message: `${reference} is left out: ${reason}, and it cannot be made here`,
      });
      return;
    }
    emit({ ...step, status: "progress", detail: own ? "building" : `${reason}; making a stand-in` });
    await prepareBase(emit);
    await buildImage(await source.define(reference, base, signal));
    const detail = source.standIn === undefined ? "built" : `stand-in from ${source.standIn}`;
    emit({ ...step, status: "done", detail, seconds: seconds() });
    if (source.standIn !== undefined)
      emit({
        type: "note",
        level: "info",
        message:
          `${reference} is a stand-in made from ${source.standIn}, since ${reason}; ` +
          `'docker image rm ${reference}' lets the next run try the original`,
      });
  };

  // Two lanes: at most two builds at a time, and those that share a cached step one after another.
  const lanes = (["other", "debian"] as const).map((lane) =>
    jobs.filter((job) => (job.source?.lane ?? "debian") === lane),
  );
  yield* merge(
    lanes.map((lane) => async (emit: Emit) => {
      for (const job of lane)
        try {
          await provide(job, emit);
        } catch (error) {
          const { reference } = job;
          // The other lane's failure stops this one: only the first has failed.
          const status = signal.aborted ? "skipped" : "failed";
          emit({ type: "step", id: `image:${reference}`, title: `image ${reference}`, status });
          throw error;
        }
    }),
    stop,
  );
  return { missing: missing.sort() };
}

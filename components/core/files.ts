import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { CARRIER, LABELS } from "../../contract/labels.ts";
import type { ContainerSpec, DockerPlatform, MountedFile } from "./container-spec.ts";

/** Label of a container with files: the id of its carrier. A new carrier means a new container. */
export const FILES_LABEL = "exai.files";

/** Length of the container ids that Docker prints. */
const SHORT_ID = 12;

/** Volumes with the files of a container, and what put them there. */
export interface MountedFiles {
  /** Volume name by the directory that it is mounted at. */
  readonly volumes: ReadonlyMap<string, pulumi.Input<string>>;
  /** Identity of the carrier. */
  readonly carrier: pulumi.Input<string>;
}

/** The directories of files, sorted. */
export function directoriesOf(files: readonly MountedFile[]): readonly string[] {
  return [...new Set(files.map((file) => file.path.slice(0, file.path.lastIndexOf("/"))))].sort();
}

/**
 * Volumes that hold the files of a container, one per directory, filled by a carrier: a container that never starts.
 *
 * Docker accepts no upload into a container with a read-only root, not even into one of its volumes, because the provider
 * addresses uploads to `/`. So the carrier's root is writable, and no process runs in it.
 */
export function mountedFiles(
  name: string,
  spec: ContainerSpec,
  files: readonly MountedFile[],
  hardened: docker.ContainerArgs,
  platform: DockerPlatform,
  opts: pulumi.CustomResourceOptions,
): MountedFiles {
  const labels = (component: string) => [
    { label: LABELS.instance, value: platform.instance },
    { label: LABELS.stack, value: platform.stack },
    { label: LABELS.component, value: component },
  ];
  const volumes = new Map(
    directoriesOf(files).map((directory) => {
      const slug = directory.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase();
      const names = files.map((file) => file.path).filter((path) => path.startsWith(`${directory}/`));
      const volume = new docker.Volume(
        `${name}${slug}`,
        {
          name: `${platform.instance}-${spec.component}${slug}`,
          // A removed file must not stay in the volume, so another set of files needs another volume.
          labels: [...labels(spec.component), { label: FILES_LABEL, value: names.sort().join(" ") }],
        },
        { ...opts, deleteBeforeReplace: true },
      );
      return [directory, volume.name] as const;
    }),
  );
  const carrier = new docker.Container(
    `${name}-files`,
    {
      ...hardened,
      name: `${platform.instance}-${spec.component}${CARRIER}`,
      hostname: `${spec.component}${CARRIER}`,
      envs: [],
      labels: labels(`${spec.component}${CARRIER}`),
      volumes: [...volumes].map(([containerPath, volumeName]) => ({ volumeName, containerPath })),
      uploads: files.map((file) => ({
        file: file.path,
        content: file.secret === true ? pulumi.secret(file.content) : file.content,
        // The process that reads them is not root, and no other container mounts the volume.
        permissions: "0444",
      })),
      ports: [],
      networksAdvanced: [],
      networkMode: "none",
      readOnly: false,
      start: false,
      mustRun: false,
      wait: false,
    },
    { ...opts, deleteBeforeReplace: true },
  );
  return { volumes, carrier: carrier.id.apply((id) => id.slice(0, SHORT_ID)) };
}

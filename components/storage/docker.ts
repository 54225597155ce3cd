import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { LABELS } from "../../contract/labels.ts";
import { OBJECT_STORE, storageKey } from "../../contract/storage/object-store.ts";
import { ExaiComponent } from "../core/component.ts";
import type { ContainerSpec, DockerPlatform } from "../core/container-spec.ts";
import { hardenedContainer } from "../core/container.ts";
import { transformed, type Transform } from "../core/transform.ts";

export interface DockerObjectStoreArgs {
  readonly platform: DockerPlatform;
  /** Built from images/object-store. */
  readonly image: pulumi.Input<string>;
  /** Key that the tokens of the Storage API are signed with. */
  readonly secret: pulumi.Output<string>;
  /** Refuse to delete the volume of the objects. @default false */
  readonly protect?: boolean;
  /** Escape hatches. */
  readonly transform?: {
    readonly container?: Transform<docker.ContainerArgs>;
    readonly volume?: Transform<docker.VolumeArgs>;
  };
}

/**
 * The local object store: the used part of Supabase's Storage API, with the objects on a volume. The backups have the rows about the
 * objects, and not the objects, as at Supabase. No port is published: the slots alone reach it.
 */
export class DockerObjectStore extends ExaiComponent {
  /** Keys of its API. */
  readonly keys: { readonly anon: pulumi.Output<string>; readonly serviceRole: pulumi.Output<string> };

  constructor(name: string, args: DockerObjectStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "exai:storage:DockerObjectStore",
      name,
      { withoutBackup: [`${name}-data`], withoutScrape: [OBJECT_STORE.host] },
      opts,
    );
    const { instance, stack } = args.platform;
    const volume = new docker.Volume(
      ...transformed(
        args.transform?.volume,
        `${name}-data`,
        {
          name: `${instance}-${OBJECT_STORE.host}-data`,
          labels: [
            { label: LABELS.instance, value: instance },
            { label: LABELS.stack, value: stack },
            { label: LABELS.component, value: OBJECT_STORE.host },
          ],
        },
        { parent: this, protect: args.protect ?? false },
      ),
    );
    hardenedContainer(
      `${name}-server`,
      objectStoreSpec(args.image, args.secret, volume.name),
      args.platform,
      { parent: this },
      args.transform?.container,
    );
    const key = (role: "anon" | "service_role") =>
      pulumi.secret(args.secret.apply((secret) => storageKey(secret, role)));
    this.keys = { anon: key("anon"), serviceRole: key("service_role") };
    this.registerOutputs({});
  }
}

/** The store's container; pure. */
export function objectStoreSpec(
  image: pulumi.Input<string>,
  secret: pulumi.Input<string>,
  volume: pulumi.Input<string>,
): ContainerSpec {
  return {
    component: OBJECT_STORE.host,
    image,
    user: `${String(OBJECT_STORE.uid)}:${String(OBJECT_STORE.uid)}`,
    environment: { [OBJECT_STORE.secretVariable]: OBJECT_STORE.secretFile },
    files: [{ path: OBJECT_STORE.secretFile, content: secret, secret: true }],
    volumes: [{ name: volume, path: OBJECT_STORE.data }],
    tmpfs: { "/tmp": "size=16m,mode=1777,nosuid,nodev,noexec" },
    memoryMegabytes: 192,
    cpus: 0.5,
    pids: 64,
    healthCheck: { test: ["CMD", "node", "/app/healthcheck.mjs"], startPeriodSeconds: 15 },
  };
}

import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import { SLOTS, type Slot } from "../../contract/slots.ts";
import { EGRESS_PORT } from "../../contract/envoy/names.ts";
import { OBJECT_STORE } from "../../contract/storage/object-store.ts";
import { SECRETS_DIRECTORY, SERVER_UID } from "../../contract/server.ts";
import { ExaiComponent } from "../core/component.ts";
import type { ContainerSpec, DockerPlatform } from "../core/container-spec.ts";
import { hardenedContainer } from "../core/container.ts";
import { DockerImage } from "../core/image.ts";
import type { Transform } from "../core/transform.ts";
import { plainEnvironment, secretFiles, type ServerEnvironment, type SlotSecrets } from "./environment.ts";

export interface DockerServerArgs {
  readonly platform: DockerPlatform;
  /** Image of each slot. */
  readonly images: Readonly<Record<Slot, pulumi.Input<string>>>;
  readonly environment: ServerEnvironment;
  readonly secrets: SlotSecrets;
  /** Memory limit of one slot, MiB. */
  readonly memoryMegabytes: number;
  /** CPU limit of one slot, cores. */
  readonly cpus: number;
  /** Program and arguments inside the image that exit 0 while the server is ready. */
  readonly healthCommand: readonly string[];
  /** Escape hatch for both slots' containers. */
  readonly transform?: { readonly container?: Transform<docker.ContainerArgs> };
}

/**
 * The EX-AI server on Docker: one container in each of the two permanent slots. No port is published; users come
 * through the router, which reaches the slots as `server-blue` and `server-green`.
 */
export class DockerServer extends ExaiComponent {
  readonly containers: Readonly<Record<Slot, docker.Container>>;

  constructor(name: string, args: DockerServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("exai:server:DockerServer", name, { slots: SLOTS }, opts);
    const slot = (slot: Slot): docker.Container => {
      const image = new DockerImage(`${name}-${slot}`, args.images[slot], { parent: this });
      return hardenedContainer(
        `${name}-${slot}`,
        slotSpec(slot, image.id, args),
        args.platform,
        { parent: this },
        args.transform?.container,
      );
    };
    this.containers = { blue: slot("blue"), green: slot("green") };
    this.registerOutputs({});
  }
}

/** Of the names in common use; Node reads them only with the last. The router allows the hosts. */
const PROXY = {
  HTTP_PROXY: `http://router:${String(EGRESS_PORT)}`,
  HTTPS_PROXY: `http://router:${String(EGRESS_PORT)}`,
  NO_PROXY: `localhost,127.0.0.1,${OBJECT_STORE.host}`,
  NODE_USE_ENV_PROXY: "1",
} as const;

/** The container of one slot; pure. */
export function slotSpec(
  slot: Slot,
  image: pulumi.Input<string>,
  args: Pick<DockerServerArgs, "environment" | "secrets" | "memoryMegabytes" | "cpus" | "healthCommand">,
): ContainerSpec {
  const secrets = secretFiles(args.secrets[slot]);
  return {
    component: `server-${slot}`,
    slot,
    image,
    user: `${SERVER_UID}:${SERVER_UID}`,
    environment: { ...plainEnvironment(args.environment, secrets, slot), ...PROXY },
    files: secrets.map(({ file, content }) => ({ path: `${SECRETS_DIRECTORY}/${file}`, content, secret: true })),
    tmpfs: { "/tmp": "size=64m,mode=1777,nosuid,nodev,noexec" },
    memoryMegabytes: args.memoryMegabytes,
    cpus: args.cpus,
    pids: 512,
    healthCheck: {
      test: ["CMD", ...args.healthCommand],
      startPeriodSeconds: 30,
    },
    mayStop: true,
    // The server uses its whole grace time to close WebSockets; Docker must not shorten it.
    graceSeconds: args.environment.graceSeconds + 5,
  };
}

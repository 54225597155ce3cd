import { createHash } from "node:crypto";
import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import { LABELS } from "../../contract/labels.ts";
import { INTERNAL_RANGE, networksOf, PATHS } from "../core/paths.ts";
import { ExaiComponent } from "../core/component.ts";
import type { DockerPlatform } from "../core/container-spec.ts";

export interface DockerNetworksArgs extends Pick<DockerPlatform, "instance" | "stack"> {
  /** Components that the stack does not have. */
  readonly without?: readonly string[];
}

/** The bridge networks of an instance, one for each component that others reach (`core/paths.ts`). */
export class DockerNetworks extends ExaiComponent {
  /** Names of a component's networks; none for a component without a path. */
  readonly of: DockerPlatform["networks"];

  constructor(name: string, args: DockerNetworksArgs, opts?: pulumi.ComponentResourceOptions) {
    const wanted = networksOf(PATHS).filter((network) => args.without?.includes(network.name) !== true);
    super("exai:platform:DockerNetworks", name, { networks: wanted.map((network) => network.name) }, opts);
    const internal = wanted.filter((network) => network.internal);
    const networks = wanted.map((network) => {
      const made = new docker.Network(
        `${name}-${network.name}`,
        {
          name: `${args.instance}-${network.name}`,
          driver: "bridge",
          ...(network.internal ? isolation(args.instance, internal.indexOf(network)) : {}),
          labels: [
            { label: LABELS.instance, value: args.instance },
            { label: LABELS.stack, value: args.stack },
          ],
        },
        { parent: this },
      );
      return { members: network.members, name: made.name };
    });
    this.of = (component) => networks.flatMap((each) => (each.members.includes(component) ? [each.name] : []));
    this.registerOutputs({});
  }
}

/** Networks of 8 addresses, eight for each instance. */
const BLOCK = { size: 8, ofInstance: 8 };

/** An internal network still reaches this machine by the bridge's own address, so that the bridge must not have one. */
function isolation(instance: string, index: number) {
  const instances = Math.floor(2 ** (32 - INTERNAL_RANGE.prefix) / (BLOCK.size * BLOCK.ofInstance));
  const place = createHash("sha256").update(instance).digest().readUInt32BE(0) % instances;
  const offset = (place * BLOCK.ofInstance + index) * BLOCK.size;
  const [a, b] = INTERNAL_RANGE.address.split(".").map(Number) as [number, number];
  const address = (host: number) =>
    [a, b + Math.floor((offset + host) / 65_536), Math.floor((offset + host) / 256) % 256, (offset + host) % 256].join(
      ".",
    );
  return {
    internal: true,
    options: { "com.docker.network.bridge.inhibit_ipv4": "true" },
    ipamConfigs: [{ subnet: `${address(0)}/29`, gateway: address(1) }],
  };
}

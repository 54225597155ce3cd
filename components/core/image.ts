import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

/**
 * An image of the local Docker daemon: used if it exists, else pulled. Containers refer to it by its identifier, so that a
 * tag which moved replaces them; the image itself stays when the stack goes.
 */
export class DockerImage {
  /** Content identifier, `sha256:…`. */
  readonly id: pulumi.Output<string>;

  constructor(name: string, reference: pulumi.Input<string>, opts: pulumi.CustomResourceOptions) {
    this.id = new docker.RemoteImage(`${name}-image`, { name: reference, keepLocally: true }, opts).imageId;
  }
}

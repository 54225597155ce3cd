import * as pulumi from "@pulumi/pulumi";

/** Type token of a component of this project. */
export type ComponentType = `exai:${string}:${string}`;

/**
 * Base class of every component. A component creates its children with `parent: this` and its own name as prefix.
 *
 * `declared` are the inputs that the component registers, so that policies and reviewers see them in the graph. Plain
 * values only, since an Output among them would be awaited by every child.
 */
export abstract class ExaiComponent extends pulumi.ComponentResource {
  constructor(
    type: ComponentType,
    name: string,
    declared: Record<string, string | number | boolean | readonly string[]> = {},
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super(type, name, declared, opts);
  }
}

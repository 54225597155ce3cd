import type * as pulumi from "@pulumi/pulumi";

/**
 * Escape hatch for one child of a component: either arguments that override the component's own, or a function that
 * edits the arguments and the options in place before the child is registered.
 */
export type Transform<Args extends object> =
  Partial<Args> | ((args: Args, opts: pulumi.CustomResourceOptions, name: string) => void);

/** Applies a transform; the result spreads into the child's constructor: `new Child(...transformed(t, name, args, opts))`. */
export function transformed<Args extends object>(
  transform: Transform<Args> | undefined,
  name: string,
  args: Args,
  opts: pulumi.CustomResourceOptions,
): [name: string, args: Args, opts: pulumi.CustomResourceOptions] {
  if (transform === undefined) return [name, args, opts];
  if (typeof transform !== "function") return [name, { ...args, ...transform }, opts];
  const edited = { ...args };
  const editedOpts = { ...opts };
  transform(edited, editedOpts, name);
  return [name, edited, editedOpts];
}

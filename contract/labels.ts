/** Labels of every container and object of the stack. */
export const LABELS = {
  /** Name of the instance: all objects of a stack have the same value. */
  instance: "exai.instance",
  /** `local`, `staging` or `prod`. */
  stack: "exai.stack",
  /** What the container does: server, router, postgres, … */
  component: "exai.component",
  /** Slot of a server container. */
  slot: "exai.slot",
  /** SHA-256 over the complete definition of a Compose container. */
  configHash: "exai.config-hash",
  /** Instance whose database a scratch server is restored from. Such a server is not part of the instance. */
  restored: "exai.restored",
} as const;

/** End of the component of a carrier: a container that never starts, and whose volumes have the files of another one. */
export const CARRIER = "-files";

/** Component of the container that runs the branches of a local database. A command makes it, not the program. */
export const BRANCHES = "branches";

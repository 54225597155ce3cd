/** Labels that stand on every container and object of the stack. */
export const LABELS = {
  /** Name of the instance: everything one stack made has the same value. */
  instance: "exai.instance",
  /** `local`, `staging` or `prod`. */
  stack: "exai.stack",
  /** What the container does: server, router, postgres, … */
  component: "exai.component",
  /** Slot of a server container. */
  slot: "exai.slot",
  /** SHA-256 over all that makes a container of Compose what it is. */
  configHash: "exai.config-hash",
} as const;

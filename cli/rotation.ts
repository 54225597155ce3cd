import { join } from "node:path";
import { PROJECT_ROOT } from "../operations/images/paths.ts";
import { FileLeaseStore } from "../operations/rollout/lease.ts";
import type { RotationContext } from "../operations/secrets/rotate.ts";
import { stackFileSource } from "../synth/stackFile.ts";
import { LocalRotationStore } from "./local/jwtKeys.ts";
import { localStack, type Overrides } from "./local/project.ts";
import { rolloutContext } from "./local/rollout.ts";

/** A stack's rotation, and the life of its tokens as the settings have it. */
export interface StackRotation {
  readonly context: RotationContext;
  readonly lifetimeMinutes: number;
}

/** All that a rotation of a stack's key touches. `deploys`: slots may be deployed, which must not happen under an `up`. */
export function rotationOf(
  stack: string,
  overrides: Overrides,
  signal: AbortSignal,
  { deploys }: { readonly deploys: boolean },
): StackRotation {
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true });
  const { home, state, settings } = localStack(stack, overrides);
  return {
    context: {
      store: new LocalRotationStore(state, source),
      rollout: async function* (verb) {
        return yield* verb(await rolloutContext(stack, overrides, signal, { deploys }));
      },
      leases: new FileLeaseStore(join(home, "rotations")),
      signal,
    },
    lifetimeMinutes: settings.jwtLifetimeMinutes,
  };
}

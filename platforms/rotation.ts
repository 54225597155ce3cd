import { join } from "node:path";
import type { Engine } from "./pulumi/engine.ts";
import { PROJECT_ROOT } from "../operations/images/paths.ts";
import type { RotationContext } from "../operations/secrets/rotate.ts";
import { parseSettings } from "../stacks/settings.ts";
import { environmentOf } from "../stacks/settings/parse.ts";
import { stackFileSource } from "../synth/stack-file.ts";
import { openEngine } from "./pulumi/open.ts";
import { SettingsRotationStore } from "./pulumi/jwt-keys.ts";
import { LocalRotationStore } from "./compose/jwt-keys.ts";
import { localStack, type Overrides } from "./compose/project.ts";
import { withRollout } from "./rollout.ts";
import { FileLeaseStore } from "../operations/rollout/local/file-lease.ts";

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
  const rollout: RotationContext["rollout"] = (verb) =>
    withRollout({ stack, set: overrides, deploys }, signal, () => Promise.resolve(verb));
  if (environmentOf(stack, source) === "local") {
    const { home, state, settings } = localStack(stack, overrides);
    const leases = new FileLeaseStore(join(home, "rotations"));
    const store = new LocalRotationStore(state, source);
    return { context: { store, rollout, leases, signal }, lifetimeMinutes: settings.jwtLifetimeMinutes };
  }
  // Opened once: each write of the record would take seconds otherwise.
  let opened: Promise<Engine> | undefined;
  const engine = () => (opened ??= openEngine(stack, overrides).then((found) => found.engine));
  const store = new SettingsRotationStore(stack, {
    read: async () => (await engine()).config(),
    set: async (values, options) => (await engine()).configure(values, options),
  });
  return {
    context: {
      store,
      rollout,
      // The settings are a file on this machine, so the lease is too; the cutovers take the cluster's.
      leases: new FileLeaseStore(join(PROJECT_ROOT, ".exai", stack, "rotations")),
      share: async (aborted) => {
        const confined = await openEngine(stack, overrides, { confined: true });
        const events = confined.engine.up({ signal: aborted, target: ["**EdgeFunctionSecrets::*"] });
        while ((await events.next()).done !== true); // its progress is the rotation's own
      },
      signal,
    },
    lifetimeMinutes: parseSettings(stack, source).jwtLifetimeMinutes,
  };
}

import { join, resolve } from "node:path";
import { SLOTS } from "../../contract/slots.ts";
import type { ResourceGraph } from "../../contract/graph.ts";
import { UserError } from "../../contract/errors.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { parseSettings, type Settings } from "../../stacks/settings.ts";
import type { ComposeProject } from "../../synth/compose.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { jwtSettings } from "./jwt-keys.ts";
import { LocalState } from "./state.ts";

/** Values that win over a stack file's, keys without `exai:`. */
export type Overrides = Readonly<Record<string, string>>;

/** A local stack as its settings have it. */
export interface LocalStack {
  readonly settings: Settings;
  /** Absolute path of the stack's own folder. */
  readonly home: string;
  readonly state: LocalState;
  /** What the settings were made from; the images of the slots are among them. */
  readonly overrides: Overrides;
}

/** A local stack together with the Compose project that its program comes to. */
export interface LocalProject extends LocalStack {
  readonly graph: ResourceGraph;
  readonly compose: ComposeProject;
  /** Absolute path of the Compose file. */
  readonly composePath: string;
}

/**
 * Reads the settings of a local stack; a slot runs the image that the last cutover gave it.
 *
 * @throws UserError or UserErrors where the settings are refused or the stack is not local
 */
export function localStack(stack: string, given: Overrides): LocalStack {
  const first = parseSettings(stack, stackFileSource(PROJECT_ROOT, stack, { overrides: given }));
  if (first.environment !== "local")
    throw new UserError(
      "failed",
      `stack ${stack}`,
      `is ${first.environment}, and this works on stacks of this machine alone`,
      "name a local stack",
    );
  const home = resolve(PROJECT_ROOT, first.homeDirectory ?? ".exai/local");
  const state = new LocalState(home);
  const slots = state.slots();
  const overrides: Record<string, string> = {
    ...jwtSettings(state, stackFileSource(PROJECT_ROOT, stack, { overrides: given })),
    ...given,
  };
  for (const slot of SLOTS) {
    const image = slots[slot];
    if (image !== undefined) overrides[`${slot}Image`] ??= image;
  }
  const settings = parseSettings(stack, stackFileSource(PROJECT_ROOT, stack, { overrides }));
  return { settings, home, state, overrides };
}

/** Runs the program of a local stack and renders its Compose project. Nothing is written but generated passwords. */
export async function localProject(stack: LocalStack, more: Overrides = {}): Promise<LocalProject> {
  // Loaded here alone: a rollback only reads settings, and does not wait for the program and its libraries.
  const [{ capture }, { compose, composeOutputs }] = await Promise.all([
    import("../../synth/capture.ts"),
    import("../../synth/compose.ts"),
  ]);
  const overrides = { ...stack.overrides, ...more };
  const name = stack.settings.stack;
  const source = stackFileSource(PROJECT_ROOT, name, { overrides });
  const graph = await capture(name, source, {
    outputs: composeOutputs((password, length) => stack.state.password(password, length)),
  });
  return {
    ...stack,
    overrides,
    settings: parseSettings(name, source),
    graph,
    compose: compose(graph),
    composePath: join(stack.home, "compose.yaml"),
  };
}

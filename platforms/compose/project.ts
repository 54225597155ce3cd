import { join, resolve } from "node:path";
import { SLOTS } from "../../contract/slots.ts";
import { generatedName } from "../../contract/engine/names.ts";
import type { ResourceGraph } from "../../contract/graph.ts";
import { claimHome } from "../../contract/machine/stack-home.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { parseSettings, type Settings } from "../../stacks/settings.ts";
import { fallbackOf } from "../../stacks/settings/setting.ts";
import type { ConfigSource } from "../../stacks/settings/source.ts";
import { SETTINGS } from "../../stacks/settings/table.ts";
import type { ComposeProject } from "../../synth/compose.ts";
import { loadProgram } from "../../synth/lazy.ts";
import { layered } from "../../synth/stack-file.ts";
import type { DeclaredStack, Overrides } from "../declared.ts";
import type { EngineTarget } from "../pulumi/target.ts";
import { jwtSettings } from "./jwt-keys.ts";
import type { Place } from "./stack-lock.ts";
import { FileState } from "./state.ts";

export type { Overrides } from "../declared.ts";

/** A stack on this machine: its settings, and the folder that holds its state. */
export interface DockerStack {
  readonly declared: DeclaredStack;
  readonly settings: Settings;
  /** Absolute path of the stack's own folder. */
  readonly home: string;
  readonly state: FileState;
  /** What `--set` gave the earlier `up`s. */
  readonly recorded: Overrides;
  /** The stack file with the recorded and the typed overrides. */
  readonly given: ConfigSource;
  /** What wins over the stack file: recorded and typed overrides, the images of the slots and the keys of a rotation. */
  readonly overrides: Overrides;
  /** The stack file with {@link overrides}. */
  readonly source: ConfigSource;
}

/** A local stack together with the Compose project that its program renders to. */
export interface DockerProject extends DockerStack {
  readonly graph: ResourceGraph;
  readonly compose: ComposeProject;
  /** Absolute path of the Compose file. */
  readonly composePath: string;
}

/**
 * The settings of a local stack. A slot runs the image that the last cutover gave it.
 *
 * @param more values that win over the typed overrides. The stack's state is read again, its file is not.
 * @throws UserError or UserErrors if a setting is refused or the state is damaged
 */
export function dockerStack(declared: DeclaredStack, more: Overrides = {}): DockerStack {
  const { name, file } = declared;
  const typed = { ...declared.overrides, ...more };
  // The state is needed before the settings can be parsed.
  const text = (key: "homeDirectory" | "instance") => {
    const value = declared.source.get(key);
    return typeof value === "string" && value !== "" ? value : (fallbackOf(SETTINGS[key], "local") ?? "");
  };
  const home = resolve(PROJECT_ROOT, text("homeDirectory"));
  const state = new FileState(home, text("instance"));
  const images = state.slots();
  const recorded = state.overrides();
  const given = layered(file, { overrides: present({ ...recorded, ...typed }) });
  const all: Overrides = {
    ...recorded,
    ...Object.fromEntries(
      SLOTS.flatMap((slot) => (images[slot] === undefined ? [] : [[`${slot}Image`, images[slot]]])),
    ),
    ...jwtSettings(state, given),
    ...typed,
  };
  const overrides = present(all);
  const untyped = Object.keys(overrides).filter((key) => typed[key] === undefined);
  const origins = Object.fromEntries(untyped.map((key) => [key, "recorded" as const]));
  const source = layered(file, { overrides, origins });
  return { declared, settings: parseSettings(name, source), home, state, recorded, given, overrides, source };
}

/** Without the values that are empty: `--set key=` stands for the value of the stack file. */
function present(overrides: Overrides): Overrides {
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== ""));
}

/** Where a project gets the generated passwords from. */
export type PasswordSource = (state: FileState, name: string, length: number) => string;

/** Generates a password at its first use: for what deploys the stack with Compose. */
const NEW_SECRETS: PasswordSource = (state, name, length) => state.password(name, length);

/** Generates none, so that a stack that the engine made keeps its own: for what needs only the names of a project. */
export const KNOWN_SECRETS: PasswordSource = (state, name) => state.known(name) ?? "unknown";

/** Runs the program of a local stack and renders its Compose project. Writes nothing but new passwords. */
export async function dockerProject(stack: DockerStack, passwords = NEW_SECRETS): Promise<DockerProject> {
  // Inside of the program an error of the file system would end the process.
  if (passwords === NEW_SECRETS) stack.state.prepare();
  const { capture, compose, composeOutputs } = await loadProgram();
  const graph = await capture(stack.declared.name, stack.source, {
    outputs: composeOutputs((password, length) => passwords(stack.state, password, length)),
  });
  return { ...stack, graph, compose: compose(graph), composePath: join(stack.home, "compose.yaml") };
}

/**
 * A local stack for the engine. Its backend is in its own folder, so two stacks may have the same name. The folder gets the
 * stack's mark: a preview is often the first that writes to it.
 *
 * @throws UserError if the folder is that of something else
 */
export function engineTarget({ declared, settings, home, overrides }: DockerStack): EngineTarget {
  claimHome(home, settings.instance);
  return { stack: declared.name, folder: join(home, "engine"), ownBackend: join(home, "backend"), overrides };
}

/** Where the lock of a local stack is. */
export function placeOf({ declared, settings, home }: DockerStack): Place {
  return { stack: declared.name, instance: settings.instance, home };
}

/** Name under which the program generates the password of the database's owner. */
export const POSTGRES_PASSWORD = generatedName("postgres");

/** Connection string of a local database's owner, by the published port on loopback. */
export function localDatabaseUrl({ settings, state }: DockerStack): string {
  // An `up` generates it. Without one there is no database to connect to.
  return `postgres://postgres:${state.known(POSTGRES_PASSWORD) ?? ""}@127.0.0.1:${settings.postgresPort}/postgres?sslmode=disable`;
}

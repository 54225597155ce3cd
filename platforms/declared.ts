import { PROJECT_ROOT } from "../operations/images/paths.ts";
import { parseSettings, type Settings } from "../stacks/settings.ts";
import { environmentOf } from "../stacks/settings/parse.ts";
import type { Environment } from "../stacks/settings/setting.ts";
import type { ConfigSource } from "../stacks/settings/source.ts";
import { layered, readStackFile, type StackFile } from "../synth/stack-file.ts";

/** Values that win over those of the stack file; keys without `exai:`. */
export type Overrides = Readonly<Record<string, string>>;

/** A stack as its file and the command line declare it. The file is read once. */
export interface DeclaredStack {
  readonly name: string;
  readonly environment: Environment;
  readonly overrides: Overrides;
  readonly file: StackFile;
  /** The file with the overrides. Secrets and the release's image may be absent. */
  readonly source: ConfigSource;
  /** Parsed at the first use. @throws UserErrors if a setting is refused */
  readonly settings: Settings;
}

/** @throws UserError if there is no such stack file, or it does not say which environment the stack is */
export function declaredStack(name: string, overrides: Overrides = {}): DeclaredStack {
  const file = readStackFile(PROJECT_ROOT, name);
  const source = layered(file, { overrides, defers: true });
  let settings: Settings | undefined;
  return {
    ...{ name, overrides, file, source },
    environment: environmentOf(name, source),
    get settings() {
      return (settings ??= parseSettings(name, source));
    },
  };
}

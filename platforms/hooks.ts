import { Hooks } from "../operations/hooks/runner.ts";
import { PROJECT_ROOT } from "../operations/images/paths.ts";
import type { HookRunner } from "../operations/rollout/ports/hooks.ts";
import type { Settings } from "../stacks/settings.ts";
import { DEFERRED, type ConfigSource } from "../stacks/settings/source.ts";
import type { Decrypt } from "./notifications.ts";

const SECRET = "rolloutHookSecret";

/**
 * Runs the hooks of a stack's rollouts; undefined if its settings have none. Programs run in the checkout.
 *
 * @param source the source of the settings
 * @param decrypt called once, when a request is made and its key is encrypted. Absent: such a key cannot be read, and the
 *   hook fails.
 */
export function hookRunner(settings: Settings, source: ConfigSource, decrypt?: Decrypt): HookRunner | undefined {
  const hooks = settings.rolloutHooks;
  if (hooks.length === 0) return undefined;
  let decrypted: ReturnType<Decrypt> | undefined;
  const secret = async (): Promise<string> => {
    const given = source.get(SECRET);
    if (given !== DEFERRED) return given ?? "";
    if (decrypt === undefined)
      throw new Error(`exai:${SECRET} is encrypted in the stack file, which only the engine can read`);
    decrypted ??= decrypt();
    const key = (await decrypted)[SECRET];
    if (key === undefined) throw new Error(`the engine has no exai:${SECRET}`);
    return key;
  };
  return new Hooks({ stack: settings.stack, hooks, secret, cwd: PROJECT_ROOT });
}

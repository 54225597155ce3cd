import type { HookDefinition } from "../../../contract/hooks.ts";
import { Hooks } from "../../../operations/hooks/runner.ts";

/** The hooks of a test's stack. */
export function testHooks(hooks: readonly HookDefinition[]): Hooks {
  const secret = `whsec_${Buffer.alloc(32, 3).toString("base64")}`;
  return new Hooks({ stack: "test", hooks, secret: () => Promise.resolve(secret), cwd: import.meta.dirname });
}

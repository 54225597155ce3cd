import { composeStack } from "./compose/stack.ts";
import { declaredStack, type Overrides } from "./declared.ts";
import { kubernetesStack } from "./kubernetes/stack.ts";
import type { Stack } from "./platform.ts";

/**
 * Opens a stack. The only place that reads the settings and asks which environment a stack is.
 *
 * @throws UserError or UserErrors if there is no such stack, or a setting is refused
 */
export function openStack(name: string, overrides: Overrides = {}): Stack {
  const declared = declaredStack(name, overrides);
  return declared.environment === "local" ? composeStack(declared) : kubernetesStack(declared);
}

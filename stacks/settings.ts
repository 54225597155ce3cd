import type { Slot } from "../contract/slots.ts";
import { environmentOf, parseValues, type Values } from "./settings/parse.ts";
import type { ConfigSource } from "./settings/source.ts";
import type { Environment } from "./settings/setting.ts";

/** Namespace of the configuration: keys are `exai:<key>`. It is the project's name. */
export const PROJECT = "exai";

/** One stack, validated: what `stacks/` builds from. Units stand in `settings/keys`. */
export interface Settings extends Values {
  /** Name of the Pulumi stack. */
  readonly stack: string;
  readonly environment: Environment;
}

/**
 * Parses and checks the configuration of one stack.
 *
 * @throws UserError or UserErrors with the key, the reason and the fixing command, before any resource is registered
 */
export function parseSettings(stack: string, source: ConfigSource): Settings {
  const environment = environmentOf(stack, source);
  const values = parseValues(stack, environment, source);
  // Returns the values without a copy: reading a value that the SDK marks loads the SDK.
  return Object.assign(values, { stack, environment });
}

/** Names of the two slots' server on the network: `server-blue`, `server-green`. */
export function serverName(slot: Slot): string {
  return `server-${slot}`;
}

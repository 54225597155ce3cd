import { join } from "node:path";
import { FileOutbox } from "../../operations/notify/outbox.ts";
import { gateSettings } from "../../operations/rollout/gates.ts";
import { planDefaults } from "../../operations/rollout/plan.ts";
import { localRollout, rolloutDirectory, type RolloutContext } from "../../operations/rollout/context.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { stackFileSource } from "../../synth/stackFile.ts";
import { notifierOf } from "../notifications.ts";
import { ComposeDeployer } from "./composeDeployer.ts";
import type { LocalStack, Overrides } from "./project.ts";
import { localSchema } from "./schema.ts";
import { signToken } from "./token.ts";

/** Where the router's container finds its route table on the host. */
export function routesDirectory({ home }: LocalStack): string {
  return join(home, "routes");
}

/**
 * The context of a stack on this machine.
 *
 * @param given the overrides that were typed
 * @param byCompose whether Compose runs the stack, and not the engine
 */
export async function localContext(
  local: LocalStack,
  given: Overrides,
  byCompose: boolean,
  signal: AbortSignal,
): Promise<RolloutContext> {
  const { settings } = local;
  const { stack } = settings;
  const deployer = byCompose
    ? new ComposeDeployer(stack, given)
    : new (await import("./engineDeployer.ts")).EngineDeployer(stack, given);
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides: local.overrides });
  const outbox = new FileOutbox(join(rolloutDirectory(local.home), "notified"));
  const announcer = notifierOf(settings, source, outbox);
  return localRollout({
    home: local.home,
    routesDirectory: routesDirectory(local),
    routerUrl: `http://127.0.0.1:${settings.httpPort}`,
    webSocketUrl: `ws://127.0.0.1:${settings.wsPort}`,
    observeUrl: `http://127.0.0.1:${settings.observePort}`,
    prometheusUrl: `http://127.0.0.1:${settings.prometheusPort}`,
    deployer,
    gates: gateSettings(settings),
    deadlines: { graceSeconds: settings.graceSeconds },
    defaults: planDefaults(settings),
    webSocketToken: () => signToken(local),
    schema: localSchema(local),
    ...(announcer === undefined ? {} : { announcer }),
    signal,
  });
}

import { join } from "node:path";
import { FileOutbox } from "../../operations/notify/outbox.ts";
import { gateSettings } from "../../operations/rollout/gates.ts";
import { planDefaults } from "../../operations/rollout/plan.ts";
import { localRollout, rolloutDirectory, type RolloutContext } from "../../operations/rollout/context.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { stackFileSource } from "../../synth/stackFile.ts";
import { notifierOf } from "../notifications.ts";
import { notBeingChanged } from "./alone.ts";
import { madeByCompose } from "./engine.ts";
import { ComposeDeployer } from "./composeDeployer.ts";
import { localStack, type LocalStack, type Overrides } from "./project.ts";
import { UserError } from "../../contract/errors.ts";
import { localSchema } from "./schema.ts";
import { signToken } from "./token.ts";

/** Where the router's container finds its route table on the host. */
export function routesDirectory({ home }: LocalStack): string {
  return join(home, "routes");
}

/**
 * All that a rollout touches on this machine. `deploys`: the verb may put an image into a slot, which must not happen
 * under an `up` or a `down`; the others change traffic alone and never wait.
 *
 * @throws UserError where the stack is not up, or (exit code 3) is being changed
 */
export async function rolloutContext(
  stack: string,
  overrides: Overrides,
  signal: AbortSignal,
  { deploys = false }: { readonly deploys?: boolean } = {},
): Promise<RolloutContext> {
  const local = localStack(stack, overrides);
  const { settings } = local;
  if (deploys) await notBeingChanged({ stack, home: local.home });
  const byCompose = await madeByCompose(settings.instance, "router");
  if (byCompose === undefined) throw new UserError(`stack ${stack}`, "is not up", "./exai up");
  const deployer = byCompose
    ? new ComposeDeployer(stack, overrides)
    : new (await import("./engineDeployer.ts")).EngineDeployer(stack, overrides);
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

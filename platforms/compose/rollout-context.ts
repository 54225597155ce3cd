import { join } from "node:path";
import { FileOutbox } from "../../operations/notify/outbox.ts";
import type { Ahead } from "../../operations/rollout/ports/prefetch.ts";
import type { SlotDeployer } from "../../operations/rollout/ports/deployer.ts";
import { gateSettings } from "../../operations/rollout/gates/settings.ts";
import { planDefaults } from "../../operations/rollout/model/plan.ts";
import { type RolloutContext } from "../../operations/rollout/ports/context.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { notifierOf } from "../notifications.ts";
import type { LocalStack, Overrides } from "./project.ts";
import { localRouter } from "./router.ts";
import { localSchema } from "./schema.ts";
import { signToken } from "./token.ts";
import { localRollout, rolloutDirectory } from "../../operations/rollout/local/context.ts";

/**
 * The context of a stack on this machine.
 *
 * @param given the overrides that were typed
 * @param byCompose says whether Compose runs the stack, and not the engine; asked when something is done in a slot
 * @param ahead what has been asked already
 */
export async function localContext(
  local: LocalStack,
  given: Overrides,
  byCompose: () => Promise<boolean>,
  signal: AbortSignal,
  ahead: Ahead | undefined,
): Promise<RolloutContext> {
  const { settings } = local;
  const { stack } = settings;
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides: local.overrides });
  const outbox = new FileOutbox(join(rolloutDirectory(local.home), "notified"));
  const announcer = await notifierOf(settings, source, outbox);
  return localRollout({
    home: local.home,
    ...localRouter(local),
    routerUrl: `http://127.0.0.1:${settings.httpPort}`,
    webSocketUrl: `ws://127.0.0.1:${settings.wsPort}`,
    prometheusUrl: `http://127.0.0.1:${settings.prometheusPort}`,
    deployer: deployerOf(stack, given, byCompose),
    gates: gateSettings(settings),
    deadlines: { graceSeconds: settings.graceSeconds },
    defaults: planDefaults(settings),
    webSocketToken: () => signToken(local),
    schema: localSchema(local),
    ...(ahead === undefined ? {} : { ahead }),
    ...(announcer === undefined ? {} : { announcer }),
    signal,
  });
}

/** Who puts images into the slots: whoever made the stack. */
function deployerOf(stack: string, given: Overrides, byCompose: () => Promise<boolean>): SlotDeployer {
  const maker = async () =>
    (await byCompose())
      ? new (await import("./slot-deployer.ts")).ComposeDeployer(stack, given)
      : new (await import("../pulumi/slot-deployer.ts")).EngineDeployer(stack, given);
  return {
    deploy: async (...what) => (await maker()).deploy(...what),
    drain: async (...what) => (await maker()).drain(...what),
    status: async (...what) => (await maker()).status(...what),
    locate: async (...what) => (await maker()).locate(...what),
    logs: async (...what) => (await maker()).logs(...what),
  };
}

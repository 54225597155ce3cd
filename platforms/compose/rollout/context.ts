import { join } from "node:path";
import { FileCursorStore } from "../../../operations/notify/delivery-cursor.ts";
import type { Prefetch } from "../../../operations/rollout/ports/prefetch.ts";
import { gateSettings } from "../../../operations/rollout/gates/settings.ts";
import { planDefaults } from "../../../operations/rollout/model/plan.ts";
import { localRollout, rolloutDirectory } from "../../../operations/rollout/local/context.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { notifierOf } from "../../notifications.ts";
import type { DockerStack } from "../project.ts";
import { localRouter } from "./router.ts";
import { localSchema } from "./schema.ts";
import { DockerDeployer } from "./slot-deployer.ts";
import { signToken } from "../token.ts";

/**
 * The context of a stack on this machine.
 *
 * @param byCompose whether Compose made the stack; called by deployments only
 * @param prefetch the requests that were sent already
 */
export function localContext(
  local: DockerStack,
  byCompose: () => Promise<boolean>,
  signal: AbortSignal,
  prefetch: Prefetch | undefined,
): RolloutContext {
  const { settings } = local;
  const cursors = new FileCursorStore(join(rolloutDirectory(local.home), "notified"));
  const announcer = notifierOf(settings, local.source, cursors);
  return localRollout({
    home: local.home,
    ...localRouter(local),
    routerUrl: `http://127.0.0.1:${settings.httpPort}`,
    webSocketUrl: `ws://127.0.0.1:${settings.wsPort}`,
    prometheusUrl: `http://127.0.0.1:${settings.prometheusPort}`,
    deployer: new DockerDeployer(local, byCompose),
    gates: gateSettings(settings),
    deadlines: { graceSeconds: settings.graceSeconds },
    defaults: planDefaults(settings),
    webSocketToken: () => signToken(local),
    schema: localSchema(local),
    ...(prefetch === undefined ? {} : { prefetch }),
    ...(announcer === undefined ? {} : { announcer }),
    signal,
  });
}

import { join } from "node:path";
import { generatedName } from "../../../contract/engine/names.ts";
import { accessKey } from "../../../contract/envoy/access.ts";
import { SlotAccess } from "../../../operations/rollout/ports/access.ts";
import { FileCursorStore } from "../../../operations/notify/delivery-cursor.ts";
import type { Prefetch } from "../../../operations/rollout/ports/prefetch.ts";
import { gateSettings } from "../../../operations/rollout/gates/settings.ts";
import { planDefaults } from "../../../operations/rollout/model/plan.ts";
import { localRollout, rolloutDirectory } from "../../../operations/rollout/local/context.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { hookRunner } from "../../hooks.ts";
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
  const routerUrl = `http://127.0.0.1:${settings.httpPort}`;
  const cursors = new FileCursorStore(join(rolloutDirectory(local.home), "notified"));
  const announcer = notifierOf(settings, local.source, cursors);
  const hooks = hookRunner(settings, local.source);
  return localRollout({
    home: local.home,
    ...localRouter(local),
    routerUrl,
    webSocketUrl: `ws://127.0.0.1:${settings.wsPort}`,
    prometheusUrl: `http://127.0.0.1:${settings.prometheusPort}`,
    deployer: new DockerDeployer(local, byCompose),
    access: new SlotAccess(routerUrl, () =>
      accessKey(local.state.password(generatedName("access"), 48), settings.accessGeneration),
    ),
    gates: gateSettings(settings),
    deadlines: { graceSeconds: settings.graceSeconds },
    defaults: planDefaults(settings),
    webSocketToken: () => signToken(local),
    schema: localSchema(local),
    ...(prefetch === undefined ? {} : { prefetch }),
    ...(announcer === undefined ? {} : { announcer }),
    ...(hooks === undefined ? {} : { hooks }),
    signal,
  });
}

import { join } from "node:path";
import { dockerStack } from "../../platforms/compose/project.ts";
import { openDockerRollout } from "../../platforms/compose/rollout/open.ts";
import { localRouter } from "../../platforms/compose/rollout/router.ts";
import { declaredStack, type Overrides } from "../../platforms/declared.ts";
import { DEFAULT_WS_PORT } from "../../contract/server.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import type { RolloutContext } from "../../operations/rollout/ports/context.ts";
import type { GateSettings } from "../../operations/rollout/gates/settings.ts";
import { startKubernetesStack } from "../../tests/support/kubernetes/stack.ts";
import { startRolloutStack } from "../../tests/support/rollout/stack.ts";
import { tableWrittenAt } from "./figures.ts";
import type { LoadOptions } from "../../tests/support/load/load.ts";

/** What a measurement runs against. */
export interface Target {
  readonly title: string;
  readonly context: RolloutContext;
  /** Where its users are. */
  readonly users: Pick<LoadOptions, "routerUrl" | "webSocketUrl" | "webSocketToken" | "address">;
  /** The image of a release that does not name one. */
  readonly image?: string;
  /** When the last change of weights began, milliseconds since 1970: the table's file was replaced, or the journal had it. */
  changedAt(): Promise<number>;
  /** A slot without the router in between, published like the router; absent where a stack publishes none. */
  readonly directUrl?: string;
  /** The command that an operator would type to roll back, where the target is a stack that the CLI knows. */
  readonly rollback?: readonly [program: string, ...words: string[]];
  end(): Promise<void>;
}

/**
 * - `containers`: the rollout's part of the stack as plain containers, which are removed afterwards.
 * - `stack`: the stack that `./exai up` has brought up, with the same `--set`.
 * - `cluster`: staging's manifests on the cluster of EXAI_TEST_KUBECONFIG, in a namespace that is removed afterwards.
 */
export type TargetKind = "containers" | "stack" | "cluster";

/** @throws Error where EXAI_TEST_KUBECONFIG is missing or the stack does not come up. */
export async function chooseTarget(
  kind: TargetKind,
  gates: Partial<GateSettings>,
  overrides: Overrides = {},
): Promise<Target> {
  switch (kind) {
    case "containers":
      return containers(gates);
    case "stack":
      return ownStack(gates, overrides);
    case "cluster":
      return cluster(gates, overrides);
  }
}

async function containers(gates: Partial<GateSettings>): Promise<Target> {
  const plain = await startRolloutStack({ productIntervals: true });
  const context = plain.context({ gates });
  return {
    title: "plain containers",
    context,
    users: await usersOf(context),
    changedAt: () => tableWrittenAt(plain.routesDirectory),
    directUrl: plain.directUrl,
    end: () => plain.down(),
  };
}

async function ownStack(gates: Partial<GateSettings>, overrides: Overrides): Promise<Target> {
  const stack = dockerStack(declaredStack("local", overrides));
  const opening = await openDockerRollout(stack, new AbortController().signal);
  const own = await opening.context;
  const context = { ...own, gates: { ...own.gates, ...gates } };
  const { routesDirectory: directory } = localRouter(stack);
  return {
    title: "the stack of ./exai up",
    context,
    users: await usersOf(context),
    changedAt: () => tableWrittenAt(directory),
    rollback: typedRollback(overrides),
    end: () => Promise.resolve(),
  };
}

async function cluster(gates: Partial<GateSettings>, overrides: Overrides): Promise<Target> {
  const kubeconfig = process.env.EXAI_TEST_KUBECONFIG;
  if (kubeconfig === undefined) throw new Error("EXAI_TEST_KUBECONFIG names no kubeconfig");
  const stack = await startKubernetesStack(kubeconfig, overrides);
  const opened = await stack.open({ gates });
  const { context } = opened;
  const { webSocketToken } = await usersOf(context);
  const images = /image$/i;
  return {
    title: "a cluster with Envoy Gateway",
    context,
    // As users come: to the gateway's Service, by TLS, and not by the way of the API server that the rollout takes.
    users: {
      routerUrl: `https://${stack.hostname}`,
      webSocketUrl: `wss://${stack.hostname}:${String(DEFAULT_WS_PORT)}`,
      address: stack.address,
      ...(webSocketToken === undefined ? {} : { webSocketToken }),
    },
    image: stack.image,
    changedAt: async () => {
      const history = await context.journal.history();
      const change = history.findLast(({ weights }, index) => weights.green !== history[index - 1]?.weights.green);
      return Date.parse(change?.at ?? "");
    },
    rollback: typedRollback(Object.fromEntries(Object.entries(stack.settings).filter(([key]) => !images.test(key))), [
      "--stack",
      "staging",
    ]),
    end: async () => {
      await opened.close();
      await stack.down();
    },
  };
}

async function usersOf({ routerUrl, webSocketUrl, webSocketToken }: RolloutContext): Promise<Target["users"]> {
  const token = await webSocketToken?.();
  return { routerUrl, webSocketUrl, ...(token === undefined ? {} : { webSocketToken: token }) };
}

function typedRollback(overrides: Overrides, words: readonly string[] = []): NonNullable<Target["rollback"]> {
  const settings = Object.entries(overrides).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  return [join(PROJECT_ROOT, "exai"), "rollback", ...words, ...settings];
}

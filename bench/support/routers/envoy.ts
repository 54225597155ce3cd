import type { Slot } from "../../../contract/slots.ts";
import { slotHost } from "../../../contract/envoy/names.ts";
import { DEFAULT_WS_PORT, HTTP_PORT } from "../../../contract/server.ts";
import { ROUTER } from "../../../components/routing/docker.ts";
import { docker } from "../../../operations/docker/cli.ts";
import type { RolloutStack } from "../../../tests/support/rollout/stack.ts";
import { clock } from "../../../tests/support/load/clock.ts";
import type { Backends, Router } from "./router.ts";
import { usageOf } from "./usage.ts";

/** The stack's own router, moved by the rollout's own traffic driver: route table by rename, read back from Envoy. */
export async function envoyRouter(stack: RolloutStack): Promise<Router> {
  const container = `${stack.name}-${ROUTER}`;
  const [address, pid, version] = await Promise.all([
    addressOf(container),
    docker(["container", "inspect", "--format", "{{.State.Pid}}", container]),
    docker(["exec", container, "envoy", "--version"]),
  ]);
  const { traffic, leases } = stack.context();
  const lease = await leases.acquire("bench");
  const writer = await traffic.writer(lease);
  let generation = (await traffic.inForce())?.generation ?? 0;
  return {
    title: `Envoy ${/\/(\d+\.\d+\.\d+)\//.exec(version)?.[1] ?? "?"}, ours`,
    how: "route table replaced by rename and read back; the slot in front of `Mcp-Session-Id`",
    routerUrl: `http://${address}:${String(HTTP_PORT)}`,
    webSocketUrl: `ws://${address}:${String(DEFAULT_WS_PORT)}`,
    shift: async (green) => {
      generation += 1;
      const table = { generation, token: lease.token, weights: { blue: 100 - green, green }, evicted: [], emptied: [] };
      const at = clock();
      await writer.apply(table, AbortSignal.timeout(10_000));
      return at;
    },
    usage: () => usageOf(Number(pid)),
    stop: () => lease.release(),
  };
}

/** Where the stack's slots listen on Docker's network, without anything published in between. */
export async function backendsOf(stack: RolloutStack): Promise<Backends> {
  const backend = async (slot: Slot) => {
    const address = await addressOf(`${stack.name}-${slotHost(slot)}`);
    return { http: `${address}:${String(HTTP_PORT)}`, webSocket: `${address}:${String(DEFAULT_WS_PORT)}` };
  };
  return { blue: await backend("blue"), green: await backend("green") };
}

async function addressOf(container: string): Promise<string> {
  const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  return (await docker(["container", "inspect", "--format", format, container])).trim();
}

import { Address4 } from "ip-address";
import { LABELS } from "../../contract/labels.ts";
import { docker } from "../../operations/docker/cli.ts";

/** What a container gets from an address: bytes, a connection that is closed without any, a refusal, or nothing at all. */
export type Reached = "answers" | "closes" | "refuses" | "nothing";

/** Runs in the container, on the server's Node. A refusal shows that the address itself is reached. */
const PROBE = `
const net = require("node:net");
const ends = process.argv.slice(1).map((target) => new Promise((resolve) => {
  const [host, port] = target.split(":");
  const socket = net.connect({ host, port: Number(port) });
  let connected = false;
  const end = (what) => { socket.destroy(); resolve([target, what]); };
  socket.setTimeout(4000, () => end(connected ? "closes" : "nothing"));
  socket.on("connect", () => { connected = true; socket.write("GET /ready HTTP/1.1\\r\\nhost: probe\\r\\nconnection: close\\r\\n\\r\\n"); });
  socket.on("data", () => end("answers"));
  socket.on("close", () => end(connected ? "closes" : "nothing"));
  socket.on("error", ({ code }) => end(connected ? "closes" : code === "ECONNREFUSED" ? "refuses" : "nothing"));
}));
Promise.all(ends).then((all) => console.log(JSON.stringify(Object.fromEntries(all))));
`;

/** Connects from inside a container to every target, `address:port`. */
export async function reach(container: string, targets: readonly string[]): Promise<Record<string, Reached>> {
  return JSON.parse(await docker(["exec", container, "node", "-e", PROBE, ...targets])) as Record<string, Reached>;
}

/** The address of this machine on the default bridge of Docker. */
export async function bridgeAddress(): Promise<string> {
  const config = await docker(["network", "inspect", "bridge", "--format", "{{json (index .IPAM.Config 0)}}"]);
  const { Gateway, Subnet } = JSON.parse(config) as { readonly Gateway?: string; readonly Subnet: string };
  // An engine that has made this network and was not started again since does not say its gateway, which is the first address.
  return Gateway ?? new Address4(Subnet).startAddressExclusive().address;
}

interface Inspected {
  readonly Config: { readonly Labels: Record<string, string> };
  readonly NetworkSettings: { readonly Networks: Record<string, { IPAddress: string; Gateway: string }> };
}

/** Addresses of an instance's containers by component and network, and those of this machine on any bridge. */
export async function addressesOf(instance: string): Promise<{
  readonly containers: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly machine: readonly string[];
}> {
  const ids = (await docker(["ps", "--quiet", "--filter", `label=${LABELS.instance}=${instance}`])).trim().split("\n");
  const inspected = JSON.parse(await docker(["inspect", ...ids])) as Inspected[];
  const bridges = (await docker(["network", "ls", "--quiet", "--filter", "driver=bridge"])).trim().split("\n");
  const gateways = await docker([
    ...["network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}}\n{{end}}"],
    ...bridges,
  ]);
  return {
    containers: Object.fromEntries(
      inspected.map(({ Config, NetworkSettings }) => [
        Config.Labels[LABELS.component] ?? "",
        Object.fromEntries(
          Object.entries(NetworkSettings.Networks).flatMap(([network, { IPAddress }]) =>
            IPAddress === "" ? [] : [[network, IPAddress] as const],
          ),
        ),
      ]),
    ),
    machine: [...new Set([await bridgeAddress(), ...gateways.split("\n").filter(Boolean)])],
  };
}

import { describe, expect, it } from "vitest";
import { slotHost } from "../../../contract/envoy/names.ts";
import { HOST, INTERNAL_RANGE, INTERNET, networksOf, PATHS } from "../../../components/core/paths.ts";
import { SLOTS } from "../../../contract/slots.ts";
import { DockerNetworks } from "../../../components/platform/networks.ts";
import { plainSource } from "../../../stacks/settings/source.ts";
import { capture, captureProgram } from "../../../synth/capture.ts";
import { compose, composeOutputs } from "../../../synth/compose.ts";

interface Document {
  readonly services: Record<string, { networks?: Record<string, unknown>; network_mode?: string; ports: string[] }>;
  readonly networks: Record<string, { internal?: boolean; ipam?: { config: { subnet: string; gateway: string }[] } }>;
}

const outputs = composeOutputs((name) => `password-of-${name}`);
const document = async (values: Record<string, string> = {}) =>
  compose(await capture("local", plainSource(values), { outputs })).document as unknown as Document;
const joined = (a: string, b: string) =>
  PATHS.some(({ from, to }) => (from === a && to === b) || (from === b && to === a));

describe("the networks of the local stack", () => {
  it("join two containers exactly if a path does", async () => {
    const { services } = await document();
    const on = (name: string) => Object.keys(services[name]?.networks ?? {});
    for (const a of Object.keys(services))
      for (const b of Object.keys(services))
        if (a !== b)
          expect(on(a).filter((network) => on(b).includes(network)).length, `${a}, ${b}`).toBe(joined(a, b) ? 1 : 0);
    expect(services["backup-runner"]).toMatchObject({ network_mode: "none" });
    expect(services["backup-runner"]).not.toHaveProperty("networks");
  });

  it("name only components that exist", async () => {
    const { services } = await document();
    const known = [...Object.keys(services), HOST, INTERNET];
    expect(PATHS.flatMap(({ from, to }) => [from, to]).filter((end) => !known.includes(end))).toEqual([]);
    // A published port needs a network that this machine reaches.
    const published = Object.keys(services).filter((name) => (services[name]?.ports.length ?? 0) > 0);
    expect(published.sort()).toEqual(PATHS.flatMap(({ from, to }) => (from === HOST ? [to] : [])).sort());
  });

  it("give each slot the router, the pool of the database and the object store, each on a network of the two, without the internet and this machine", async () => {
    const { services, networks } = await document({ instance: "mine" });
    for (const slot of SLOTS) {
      const names = ["", "-pgbouncer", "-object-store"].map((end) => `mine-${slotHost(slot)}${end}`);
      expect(Object.keys(services[slotHost(slot)]?.networks ?? {})).toEqual(names);
      for (const name of names)
        expect(networks[name]).toMatchObject({
          internal: true,
          driver_opts: { "com.docker.network.bridge.inhibit_ipv4": "true" },
        });
    }
    const made = networksOf(PATHS).filter((network) => !network.internal);
    for (const { members } of made) for (const slot of SLOTS) expect(members).not.toContain(slotHost(slot));
  });

  it("leave out a network that only a left-out component needs", async () => {
    expect(Object.keys((await document({ grafana: "false" })).networks)).not.toContain("exai-grafana");
  });
});

describe("the addresses of internal networks", () => {
  const subnets = async (instance: string) => {
    const graph = await captureProgram("local", () => {
      new DockerNetworks("networks", { instance, stack: "local" });
      return Promise.resolve({});
    });
    return graph.resources.flatMap(
      ({ inputs }) => (inputs.ipamConfigs as { subnet: string; gateway: string }[] | undefined) ?? [],
    );
  };
  const number = (address: string) => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

  it("are in the range that the router knows, disjoint, and the same at every start", async () => {
    const start = number(INTERNAL_RANGE.address);
    const size = 2 ** (32 - INTERNAL_RANGE.prefix);
    for (const instance of Array.from({ length: 40 }, (_, index) => `instance-${index}`)) {
      const found = await subnets(instance);
      expect(found).toHaveLength(networksOf(PATHS).filter((network) => network.internal).length);
      const first = found.map(({ subnet }) => number(subnet.replace("/29", "")));
      for (const [index, { subnet, gateway }] of found.entries()) {
        expect(subnet).toMatch(/\/29$/);
        expect(number(gateway)).toBe((first[index] ?? 0) + 1);
      }
      for (const address of first) {
        expect(address % 8).toBe(0);
        expect(address).toBeGreaterThanOrEqual(start);
        expect(address + 7).toBeLessThan(start + size);
      }
      expect(new Set(first).size).toBe(first.length);
      expect(await subnets(instance)).toEqual(found);
    }
  });
});

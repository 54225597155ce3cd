import { createServer, type Server } from "node:net";

/**
 * Where the blocks begin: below the ports that the kernel gives to connections (32768 and up) and those of Kubernetes'
 * NodePorts (30000 and up), so that no other process takes one before the container starts.
 */
const FIRST = 18_000;
const BLOCK = 1000;
/** More workers than this share blocks. */
const BLOCKS = 12;

/** The worker of the tests' runner that this process is, from 1; 0 outside of it. */
const worker = Number(process.env.VITEST_POOL_ID ?? 0);

/** Begins anywhere in the block: another run on this machine has the same blocks. */
let next = Math.floor(Math.random() * BLOCK);

/**
 * Free ports on loopback, from this worker's own block: files that start stacks at the same time do not
 * meet. None is given twice, until the block is used up.
 *
 * @throws Error where the block has not as many
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count && tries < BLOCK; tries += 1) {
    const port = FIRST + (worker % BLOCKS) * BLOCK + next;
    next = (next + 1) % BLOCK;
    if (await isFree(port)) ports.push(port);
  }
  if (ports.length < count) throw new Error(`fewer than ${count} ports are free`);
  return ports;
}

/** Settings of the ports that a local stack publishes. */
const PORT_SETTINGS = [
  ...(["httpPort", "wsPort", "observePort", "prometheusPort", "alertmanagerPort"] as const),
  ...(["grafanaPort", "postgresPort"] as const),
];

/** A port for each of these settings. */
export type PortSettings = Readonly<Record<(typeof PORT_SETTINGS)[number], number>>;

/** Settings that give a local stack free ports. */
export async function freePortSettings(): Promise<PortSettings> {
  const ports = await freePorts(PORT_SETTINGS.length);
  return Object.fromEntries(PORT_SETTINGS.map((key, index) => [key, ports[index]])) as PortSettings;
}

/** A free port on loopback. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

async function isFree(port: number): Promise<boolean> {
  const server = await new Promise<Server | undefined>((resolve) => {
    const listening = createServer()
      .once("error", () => {
        resolve(undefined);
      })
      .listen(port, "127.0.0.1", () => {
        resolve(listening);
      });
  });
  if (server === undefined) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

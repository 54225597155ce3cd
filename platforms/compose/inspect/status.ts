import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { OBJECT_STORE } from "../../../contract/storage/object-store.ts";
import { SLOTS } from "../../../contract/slots.ts";
import { docker } from "../../../operations/docker/cli.ts";
import { FileJournalStore } from "../../../operations/rollout/local/file-journal.ts";
import { rolloutDirectory } from "../../../operations/rollout/local/context.ts";
import { serverName } from "../../../stacks/settings.ts";
import type { ServiceStatus, StackStatus } from "../../results.ts";
import { containersOf, settled, type RunningContainer } from "../containers.ts";
import type { DockerStack } from "../project.ts";
import { shownOverrides } from "../recorded.ts";

/**
 * What the program of a local stack declares with any settings. To run it takes longer than all else that `status` does.
 * Grafana is not in the list: a setting or a missing image leaves it out.
 */
export const SERVICES: readonly string[] = [
  ...["alertmanager", "backup-runner", OBJECT_STORE.host, "pgbouncer", "postgres", "postgres-exporter", "prometheus"],
  "router",
  ...SLOTS.map((slot) => serverName(slot)),
];

/** The services of a local stack: those that its program declares, and those that run. */
export async function composeStatus(stack: DockerStack): Promise<StackStatus> {
  const [running, drained] = await Promise.all([containersOf(stack.settings.instance), drainedSlots(stack.home)]);
  const names = [...new Set([...SERVICES, ...running.keys()])].sort();
  const used = [...Object.values(LOCAL_IMAGES), ...Object.values(stack.state.slots())];
  const images = await imageNames(running.values(), used);
  const services = await Promise.all(
    names.map(async (name) => {
      const container = running.get(name);
      return statusOf(name, container && (await settled(container)), drained, images);
    }),
  );
  return {
    stack: stack.declared.name,
    services,
    unhealthy: services.flatMap(({ service, state }) => (HEALTHY.includes(state) ? [] : [service])),
    up: running.size > 0,
    overrides: shownOverrides(stack.recorded),
  };
}

/** A slot that a rollout has drained is stopped intentionally. */
const HEALTHY: readonly string[] = ["healthy", "drained"];

function statusOf(
  service: string,
  container: RunningContainer | undefined,
  drained: ReadonlySet<string>,
  images: ReadonlyMap<string, string>,
): ServiceStatus {
  if (container === undefined) return { service, state: "absent", ports: [] };
  const { startedAt, ports, exitCode } = container;
  const since = startedAt === undefined ? {} : { startedAt };
  const image = images.get(container.image) ?? shortened(container.image);
  if (container.state === "running") return { service, state: container.health || "running", image, ...since, ports };
  const state = drained.has(service) ? "drained" : container.state;
  // A container that never ran has no exit code.
  return { service, state, image, ...since, ...(startedAt === undefined ? {} : { exitCode }), ports };
}

/**
 * Names of images by identifier: the engine makes containers from identifiers. Of several names, the one that the stack uses.
 * Docker is asked only if there is such a container.
 */
async function imageNames(
  containers: Iterable<RunningContainer>,
  used: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (![...containers].some(({ image }) => image.startsWith(BARE))) return new Map();
  const listed = await docker(["image", "ls", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"]);
  // An image whose name was given to a newer one is `<none>:<none>`.
  const pairs = listed
    .split("\n")
    .flatMap((line) => (line.includes("<none>") ? [] : [line.split(" ") as [string, string]]));
  return new Map(pairs.sort(([, a], [, b]) => Number(used.includes(a)) - Number(used.includes(b))));
}

/** The first twelve digits of an identifier; a name unchanged. */
function shortened(image: string): string {
  return image.startsWith(BARE) ? image.slice(0, BARE.length + 12) : image;
}

/** Start of an identifier. */
const BARE = "sha256:";

/** The slots that a rollout has drained. A journal that cannot be read is reported by `rollout status`. */
export async function drainedSlots(home: string): Promise<ReadonlySet<string>> {
  const journal = await new FileJournalStore(rolloutDirectory(home)).read().catch(() => undefined);
  return new Set(journal?.machine.emptied.map((slot) => serverName(slot)));
}

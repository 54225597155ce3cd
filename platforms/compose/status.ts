import { SLOTS } from "../../contract/slots.ts";
import { FileJournalStore } from "../../operations/rollout/local/file-journal.ts";
import { rolloutDirectory } from "../../operations/rollout/local/context.ts";
import { serverName } from "../../stacks/settings.ts";
import type { ServiceStatus, StackStatus } from "../results.ts";
import { containersOf, type RunningContainer } from "./containers.ts";
import type { DockerStack } from "./project.ts";
import { shownOverrides } from "./recorded.ts";

/**
 * What the program of a local stack declares with any settings. To run it takes longer than all else that `status` does.
 * Grafana is not in the list: a setting or a missing image leaves it out.
 */
export const SERVICES: readonly string[] = [
  ...["alertmanager", "backup-runner", "postgres", "postgres-exporter", "prometheus", "router"],
  ...SLOTS.map((slot) => serverName(slot)),
];

/** The services of a local stack: those that its program declares, and those that run. */
export async function composeStatus(stack: DockerStack): Promise<StackStatus> {
  const [running, drained] = await Promise.all([containersOf(stack.settings.instance), drainedSlots(stack.home)]);
  const names = [...new Set([...SERVICES, ...running.keys()])].sort();
  const services = names.map((name) => statusOf(name, running.get(name), drained));
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
): ServiceStatus {
  if (container === undefined) return { service, state: "absent", ports: [] };
  const { image, startedAt, ports, exitCode } = container;
  const since = startedAt === undefined ? {} : { startedAt };
  if (container.state === "running") return { service, state: container.health || "running", image, ...since, ports };
  const state = drained.has(service) ? "drained" : container.state;
  // A container that never ran has no exit code.
  return { service, state, image, ...since, ...(startedAt === undefined ? {} : { exitCode }), ports };
}

/** The slots that a rollout has drained. A journal that cannot be read is reported by `rollout status`. */
async function drainedSlots(home: string): Promise<ReadonlySet<string>> {
  const journal = await new FileJournalStore(rolloutDirectory(home)).read().catch(() => undefined);
  return new Set(journal?.machine.emptied.map((slot) => serverName(slot)));
}

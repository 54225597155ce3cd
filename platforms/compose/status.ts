import { FileJournalStore } from "../../operations/rollout/local/file-journal.ts";
import { rolloutDirectory } from "../../operations/rollout/local/context.ts";
import { serverName } from "../../stacks/settings.ts";
import type { ServiceStatus, StackStatus } from "../results.ts";
import { containersOf, type RunningContainer } from "./containers.ts";
import { dockerProject, type DockerStack } from "./project.ts";

/** The services of a local stack: those that its program declares, and those that run. */
export async function composeStatus(stack: DockerStack): Promise<StackStatus> {
  const [{ compose }, running, drained] = await Promise.all([
    dockerProject(stack),
    containersOf(stack.settings.instance),
    drainedSlots(stack.home),
  ]);
  const names = [...new Set([...compose.services.map((service) => service.name), ...running.keys()])].sort();
  // `up` leaves Grafana out if its image is not available.
  const services = names
    .filter((name) => name !== "grafana" || running.has(name))
    .map((name) => statusOf(name, running.get(name), drained));
  return {
    stack: stack.declared.name,
    services,
    unhealthy: services.flatMap(({ service, state }) => (HEALTHY.includes(state) ? [] : [service])),
    up: running.size > 0,
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
  if (container.state === "running") return { service, state: container.health || "running", image, startedAt, ports };
  const state = drained.has(service) ? "drained" : container.state;
  return { service, state, image, startedAt, exitCode, ports };
}

/** The slots that a rollout has drained. A journal that cannot be read is reported by `rollout status`. */
async function drainedSlots(home: string): Promise<ReadonlySet<string>> {
  const journal = await new FileJournalStore(rolloutDirectory(home)).read().catch(() => undefined);
  return new Set(journal?.machine.emptied.map((slot) => serverName(slot)));
}

import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { containersOf } from "../../platforms/compose/containers.ts";
import { serverName } from "../../stacks/settings.ts";
import { localProject, localStack, type Overrides } from "../../platforms/compose/project.ts";
import { rolloutDirectory } from "../../operations/rollout/local/context.ts";
import { FileJournalStore } from "../../operations/rollout/local/file-journal.ts";

/** What runs of the local stack, and how it is. Exit 1 where a service is missing or not healthy. */
export async function* statusLocal(stack: string, overrides: Overrides): Verb {
  const project = await localProject(localStack(stack, overrides));
  const running = await containersOf(project.settings.instance);
  const names = [...new Set([...project.compose.services.map((service) => service.name), ...running.keys()])].sort();
  const drained = await drainedSlots(project.home);
  // Grafana may be left out where its image cannot be had.
  const present = names.filter((name) => name !== "grafana" || running.has(name));
  const rows = present.map((name): readonly [service: string, state: string, ...details: string[]] => {
    const container = running.get(name);
    if (container === undefined) return [name, "absent", "", "", ""];
    const stopped = drained.has(name) ? DRAINED : `${container.state} (${container.exitCode})`;
    const state = container.state === "running" ? container.health || "running" : stopped;
    return [name, state, container.image, since(container.startedAt), container.ports.join(", ")];
  });
  yield { type: "table", columns: ["SERVICE", "STATE", "IMAGE", "UP FOR", "PORTS"], rows };
  const sick = rows.filter((row) => row[1] !== "healthy" && row[1] !== DRAINED).map((row) => row[0]);
  yield {
    type: "result",
    title:
      sick.length === 0
        ? `${stack}: all ${rows.length} services are healthy`
        : `${stack}: not healthy: ${sick.join(", ")}`,
    data: { stack, services: Object.fromEntries(rows.map(([service, state, image]) => [service, { state, image }])) },
    ...(sick.length === 0 ? {} : { next: [running.size === 0 ? "./exai up" : `./exai logs ${sick[0] ?? ""}`] }),
  };
  return sick.length === 0 ? EXIT.ok : EXIT.violations;
}

/** State of a slot that a rollout has emptied on purpose. */
const DRAINED = "drained";

/** The slots that a rollout has emptied. A journal that cannot be read is told by the rollout's own verbs. */
async function drainedSlots(home: string): Promise<ReadonlySet<string>> {
  const journal = await new FileJournalStore(rolloutDirectory(home)).read().catch(() => undefined);
  return new Set(journal?.machine.emptied.map((slot) => serverName(slot)));
}

function since(started: string): string {
  const seconds = Math.max(0, (Date.now() - Date.parse(started)) / 1000);
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

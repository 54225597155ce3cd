import { join } from "node:path";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { ExaiEvent, Verb } from "../../contract/events.ts";
import { ensureImages } from "../../operations/images/ensure.ts";
import { hostRoutesDirectory } from "../../contract/envoy/names.ts";
import { ensureRoutes } from "../../contract/envoy/seed.ts";
import { applyPending } from "../../operations/schema/apply.ts";
import { migrationWarnings } from "../format/migrate.ts";
import { localDatabaseUrl } from "../../platforms/compose/database.ts";
import { prepareMachine, readyFor } from "../doctor/prepare.ts";
import { apply, difference, shown, writeProject } from "../../platforms/compose/apply.ts";
import { localGuard } from "../../platforms/compose/release-guard.ts";
import { localProject, localStack, type LocalProject, type Overrides } from "../../platforms/compose/project.ts";
import { timed } from "../../contract/timed.ts";

/**
 * Brings the local stack up: settings, images, containers, migrations. A second run changes nothing and says so; a
 * changed setting makes anew only the containers that it touches.
 */
export async function* upLocal(stack: string, overrides: Overrides, signal: AbortSignal): Verb {
  const begun = Date.now();
  let project = yield* timed("synthesize", "run the program", () => localProject(localStack(stack, overrides)));
  if (!(await readyFor(project.compose.images))) yield* prepareMachine("stack", signal);
  const { missing } = yield* ensureImages(project.compose.images, { signal });
  project = yield* without(project, missing);

  await ensureRoutes(hostRoutesDirectory(project.home));
  const { changed, orphans } = await difference(project);
  if (changed.size === 0 && orphans.length === 0) {
    await writeProject(project);
    yield {
      type: "step",
      id: "start",
      title: `${project.compose.services.length} services`,
      status: "unchanged",
      detail: "all healthy",
    };
  } else {
    yield* apply(project, { services: changed, signal });
  }
  const database = localDatabaseUrl(project);
  const migrated = yield* applyPending(database, { signal, guard: localGuard(project, signal), contract: "leave" });
  for (const message of migrationWarnings(migrated)) yield { type: "note", level: "warning", message };
  const changes = changed.size + orphans.length + migrated.applied.length;
  yield summary(project, changes, (Date.now() - begun) / 1000);
  return EXIT.ok;
}

/** Leaves out what no image can be had for, where the stack can do without it. */
async function* without(project: LocalProject, missing: readonly string[]): AsyncGenerator<ExaiEvent, LocalProject> {
  if (missing.length === 0) return project;
  const grafana = missing.filter((image) => image.includes("grafana"));
  const needed = missing.find((image) => !grafana.includes(image));
  if (needed !== undefined)
    throw new UserError(
      "not-found",
      `image ${needed}`,
      "cannot be pulled, and there is nothing to build it from",
      "./exai doctor",
    );
  yield {
    type: "note",
    level: "info",
    message: "the stack goes without Grafana; its dashboards are in components/monitoring/dashboards",
  };
  return localProject(project, { grafana: "false" });
}

function summary(project: LocalProject, changes: number, seconds: number): ExaiEvent {
  const { settings } = project;
  const has = (service: string) => project.compose.services.some((candidate) => candidate.name === service);
  const urls: Record<string, string> = {
    server: `http://127.0.0.1:${settings.httpPort}`,
    mcp: `http://127.0.0.1:${settings.httpPort}/mcp`,
    webSocket: `ws://127.0.0.1:${settings.wsPort}`,
    ...(has("prometheus") ? { prometheus: `http://127.0.0.1:${settings.prometheusPort}` } : {}),
    ...(has("alertmanager") ? { alertmanager: `http://127.0.0.1:${settings.alertmanagerPort}` } : {}),
    ...(has("grafana") ? { grafana: `http://127.0.0.1:${settings.grafanaPort}` } : {}),
    postgres: `postgres://postgres@127.0.0.1:${settings.postgresPort}/postgres`,
  };
  const state = changes === 0 ? "up already, nothing changed" : "up";
  return {
    type: "result",
    title: [
      `${settings.stack} is ${state} (${seconds.toFixed(1)} s)`,
      ...Object.entries(urls).map(([name, url]) => `  ${name.padEnd(13)} ${url}`),
      `  ${"passwords".padEnd(13)} ${shown(join(project.home, "secrets.json"))}`,
    ].join("\n"),
    data: { stack: settings.stack, changes, seconds, urls },
    next: ["./exai status", "./exai cutover --image <image>", "./exai down"],
  };
}

import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import type { NoteEvent, Operation } from "../../contract/events.ts";
import { Interrupted } from "../../contract/interrupted.ts";
import { timed } from "../../contract/timed.ts";
import { hostRoutesDirectory } from "../../contract/envoy/names.ts";
import { ensureRoutes } from "../../contract/envoy/seed.ts";
import { ensureImages } from "../../operations/images/ensure.ts";
import { waitForDatabase } from "../../operations/migrations/client.ts";
import { lockWaitOf } from "../../operations/migrations/locks.ts";
import { applyPrelude } from "../../operations/migrations/prelude.ts";
import { databaseUrl } from "../../operations/migrations/url.ts";
import { applyPending, type ApplyPendingResult } from "../../operations/schema/apply.ts";
import { prepareMachine, readyFor } from "../machine/prepare.ts";
import type { ComposeUp } from "../results.ts";
import { apply, difference, writeProject } from "./apply.ts";
import {
  KNOWN_SECRETS,
  localDatabaseUrl,
  dockerProject,
  dockerStack,
  type DockerProject,
  type DockerStack,
} from "./project.ts";
import { refuseTakenPorts } from "./ports.ts";
import { recordOverrides, shownOverrides } from "./recorded.ts";
import { containersOf } from "./containers.ts";
import { explainedLogin, refuseLostSecrets } from "./lost-secrets.ts";
import { localGuard } from "./rollout/release-guard.ts";

/**
 * Brings a local stack up with Compose: settings, images, containers, migrations. A second run changes nothing; a changed
 * setting replaces only the containers that it affects.
 */
export async function* composeUp(stack: DockerStack, signal: AbortSignal): Operation<ComposeUp> {
  const begun = Date.now();
  await refuseLostSecrets(stack); // before the program makes new ones
  let project = yield* timed("synthesize", "run the program", () => dockerProject(stack));
  await refuseTakenPorts(project.settings);
  yield* keepOverrides(stack);
  if (!(await readyFor(project.compose.images))) yield* prepareMachine("stack", signal);
  const { missing } = yield* ensureImages(project.compose.images, { signal });
  const leftOut = optional(missing);
  if (leftOut.length > 0) {
    const message =
      "Grafana is left out: its image is not available. Its dashboards are in components/monitoring/dashboards.";
    yield { type: "note", level: "info", message };
    project = await dockerProject(dockerStack(stack.declared, { grafana: "false" }));
  }

  await ensureRoutes(hostRoutesDirectory(project.home));
  const { changed, orphans } = await difference(project);
  if (changed.size === 0 && orphans.length === 0) {
    await writeProject(project);
    const title = `${project.compose.services.length} services`;
    yield { type: "step", id: "start", title, status: "unchanged", detail: "all healthy" };
  } else {
    try {
      const services = new Map([...changed].map(([name, { detail }]) => [name, detail]));
      yield* apply(project, { services, signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      const running = [...(await containersOf(project.settings.instance)).values()].map(({ component }) => component);
      throw new Interrupted(
        `Compose has ended; containers that exist: ${running.sort().join(", ") || "none"}`,
        fix`${command("up")} continues, ${command("down")} removes them`,
        { cause: error },
      );
    }
  }
  const migrations = yield* migrateLocal(project, signal);
  return {
    platform: "compose",
    stack: stack.declared.name,
    changes: changed.size + orphans.length + migrations.applied.length,
    seconds: (Date.now() - begun) / 1000,
    urls: urlsOf(project),
    passwords: join(project.home, "secrets.json"),
    leftOut,
    migrations,
  };
}

/** Records what `--set` gives, and reports what earlier runs gave. */
function* keepOverrides({ declared, recorded, state }: DockerStack): Generator<NoteEvent, void, void> {
  recordOverrides(state, declared.overrides);
  const earlier = Object.entries(shownOverrides(recorded)).filter(([key]) => declared.overrides[key] === undefined);
  if (earlier.length === 0) return;
  yield {
    type: "note",
    level: "info",
    message: `settings of earlier runs apply: ${earlier.map(([key, value]) => `${key}=${value}`).join(", ")}`,
    fix: fix`to remove one: ${command(`up --set ${earlier[0]?.[0] ?? ""}=`)}`,
  };
}

/** Applies the pending migrations. Those that would break a running release are left for later. */
export async function* migrateLocal(stack: DockerStack, signal: AbortSignal): Operation<ApplyPendingResult> {
  const url = localDatabaseUrl(stack);
  await waitForDatabase(databaseUrl(url), signal);
  const locks = lockWaitOf(stack.settings);
  try {
    yield* applyPrelude(url, { signal, locks });
    return yield* applyPending(url, { signal, guard: localGuard(stack, signal), locks, contract: "leave" });
  } catch (error) {
    throw explainedLogin(stack, error);
  }
}

/** The services that the stack can do without. @throws UserError if it needs one of the images */
function optional(missing: readonly string[]): readonly string[] {
  const needed = missing.find((image) => !isOptional(image));
  if (needed !== undefined) throw unavailable(needed, fix`${command("doctor")}`);
  return missing.length === 0 ? [] : ["grafana"];
}

/**
 * Pulls or builds the images for the engine, which only uses those of this machine.
 *
 * @throws UserError if one is not available: the engine cannot leave a service out
 */
export async function* provideImages(stack: DockerStack, signal: AbortSignal): Operation<void> {
  const project = await dockerProject(stack, KNOWN_SECRETS);
  await refuseTakenPorts(project.settings);
  yield* keepOverrides(stack);
  const { missing } = yield* ensureImages(project.compose.images, { signal });
  if (missing.length === 0) return;
  const withoutGrafana = `up ${stack.declared.name} --engine --set grafana=false`;
  throw unavailable(missing.join(", "), fix`${command(missing.every(isOptional) ? withoutGrafana : "doctor")}`);
}

/** Whether a stack can do without a service, by its image: that of Grafana. */
export function isOptional(image: string): boolean {
  return image.includes("grafana");
}

function unavailable(images: string, remedy: UserError["fix"]): UserError {
  return new UserError("not-found", `image ${images}`, "cannot be pulled or built on this machine", remedy);
}

function urlsOf({ settings, compose }: DockerProject): Readonly<Record<string, string>> {
  const optionalUrls = (["prometheus", "alertmanager", "grafana"] as const).flatMap((name) =>
    compose.services.some((service) => service.name === name)
      ? [[name, `http://127.0.0.1:${settings[`${name}Port`]}`] as const]
      : [],
  );
  return {
    server: `http://127.0.0.1:${settings.httpPort}`,
    mcp: `http://127.0.0.1:${settings.httpPort}/mcp`,
    webSocket: `ws://127.0.0.1:${settings.wsPort}`,
    ...Object.fromEntries(optionalUrls),
    postgres: `postgres://postgres@127.0.0.1:${settings.postgresPort}/postgres`,
  };
}

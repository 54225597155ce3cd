import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parse } from "yaml";
import type { Operation } from "../../../contract/events.ts";
import { LABELS } from "../../../contract/labels.ts";
import { timed } from "../../../contract/timed.ts";
import { imageChanges } from "../../../operations/images/ensure.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { migrationFiles } from "../../../contract/sql/files.ts";
import { errorCode } from "../../../operations/rollout/host/durable-files.ts";
import { planMigrations } from "../../../operations/schema/plan.ts";
import type { ComposePreview, MigrationsPreview, ServicePreview } from "../../results.ts";
import { difference, type ServiceChange } from "../apply.ts";
import { containersOf, settled } from "../containers.ts";
import { ownedVolumes } from "../down.ts";
import { refuseLostSecrets } from "../lost-secrets.ts";
import { refuseTakenPorts } from "../ports.ts";
import {
  KNOWN_SECRETS,
  dockerProject,
  localDatabaseUrl,
  POSTGRES_PASSWORD,
  type DockerProject,
  type DockerStack,
} from "../project.ts";
import { localGuard } from "../rollout/release-guard.ts";
import { isOptional } from "../up.ts";

/** What `up` would change, by the comparison that `up` makes. Changes nothing, not even the stack's folder. */
export async function* composePreview(stack: DockerStack, signal: AbortSignal): Operation<ComposePreview> {
  await refuseLostSecrets(stack);
  const project = yield* timed("synthesize", "run the program", () => dockerProject(stack, KNOWN_SECRETS));
  await refuseTakenPorts(project.settings);
  const images = await imageChanges(project.compose.images, signal);
  const rebuilt = images.flatMap(({ image, action }) => (action === "rebuild" ? [image] : []));
  const { changed, orphans } = await difference(project, new Set(rebuilt));
  const absent = new Set(images.flatMap(({ image, action }) => (action === "pull" ? [image] : [])));
  const optional = (name: string) =>
    project.compose.services.some((each) => each.name === name && isOptional(each.image) && absent.has(each.image));
  const migrations = await pendingMigrations(project, signal);
  return {
    ...{ platform: "compose", stack: stack.declared.name, images },
    services: [
      ...[...changed].map(([service, change]): ServicePreview => ({
        ...{ service, change: kindOf(change), reason: change.reason },
        inputs: change.reason === "definition" ? inputsOf(project, service, change) : [],
        ...(optional(service) ? { optional: true } : {}),
      })),
      ...orphans.map(({ component: service }): ServicePreview => ({ service, change: "remove", inputs: [] })),
    ],
    unchanged: project.compose.services.length - changed.size,
    ...(migrations === undefined ? {} : { migrations }),
  };
}

function kindOf({ reason }: ServiceChange): ServicePreview["change"] {
  if (reason === "new") return "create";
  return reason === "stopped" || reason === "unhealthy" ? "start" : "replace";
}

/** What differs between the definition that a container was made from and the new one, with the files that it mounts. */
function inputsOf(project: DockerProject, service: string, { container }: ServiceChange): readonly string[] {
  const definition = (document: unknown): Definition =>
    (document as { services?: Readonly<Record<string, Definition>> } | null)?.services?.[service] ?? {};
  const written: unknown = existsSync(project.composePath)
    ? parse(readFileSync(project.composePath, "utf8"), { maxAliasCount: -1 })
    : null;
  const before = definition(written);
  const label = (before.labels as Readonly<Record<string, unknown>> | undefined)?.[LABELS.configHash];
  // The file may be of a later run than the container.
  const inputs = label === container?.hash ? changedInputs(before, definition(project.compose.document)) : [];
  const folder = `files/${service}`;
  const files = project.compose.files.filter(
    ({ path, content }) => path.startsWith(`${folder}/`) && differs(join(project.home, path), content),
  );
  return [...inputs, ...files.map(({ path }) => path.slice(folder.length))];
}

type Definition = Readonly<Record<string, unknown>>;

/** Names of what differs between two definitions: keys, and variables and labels one by one. */
export function changedInputs(before: Definition, after: Definition): readonly string[] {
  return keysOf(before, after).flatMap((key) => {
    if (isDeepStrictEqual(before[key], after[key])) return [];
    const [old, now] = [byName(key, before[key]), byName(key, after[key])];
    if (old === undefined || now === undefined) return [key];
    return keysOf(old, now).flatMap((name) =>
      name === LABELS.configHash || isDeepStrictEqual(old[name], now[name]) ? [] : [`${key}.${name}`],
    );
  });
}

function keysOf(before: Definition, after: Definition): readonly string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
}

function byName(key: string, value: unknown): Definition | undefined {
  if (key === "labels") return value as Definition;
  if (key !== "environment" || !Array.isArray(value)) return undefined;
  return Object.fromEntries(value.map((text: string) => [text.split("=", 1)[0] ?? "", text]));
}

/** Whether a file has another content. A secret belongs to its container's user: whether it differs may not be known. */
function differs(path: string, content: string): boolean {
  try {
    return readFileSync(path, "utf8") !== content;
  } catch (error) {
    return errorCode(error) === "ENOENT";
  }
}

/** The migrations that the database lacks; undefined if that is not known. */
async function pendingMigrations(project: DockerProject, signal: AbortSignal): Promise<MigrationsPreview | undefined> {
  const { settings, state, compose } = project;
  const postgres = (await containersOf(settings.instance, "postgres")).get("postgres");
  if (postgres && (await settled(postgres)).health === "healthy" && state.known(POSTGRES_PASSWORD) !== undefined) {
    const plan = await planMigrations(localDatabaseUrl(project), { guard: localGuard(project, signal) });
    const pending = plan.migrations.filter(({ applied }) => !applied);
    return { pending: pending.map(nameOf), ...(plan.refusal === undefined ? {} : { refusal: plan.refusal }) };
  }
  const fresh = (await ownedVolumes(compose.volumes, settings.instance)).length === 0;
  return fresh ? { pending: migrationFiles(PROJECT_ROOT).map(nameOf) } : undefined;
}

function nameOf({ version, name }: MigrationsPreview["pending"][number]): MigrationsPreview["pending"][number] {
  return { version, name };
}

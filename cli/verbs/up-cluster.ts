import type { OutputMap } from "@pulumi/pulumi/automation/index.js";
import { SLOTS } from "../../contract/slots.ts";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { ExaiEvent, Verb } from "../../contract/events.ts";
import type { Engine } from "../../platforms/pulumi/engine.ts";
import { ensureImages } from "../../operations/images/ensure.ts";
import { applyPending } from "../../operations/schema/apply.ts";
import { migrationWarnings } from "../format/migrate.ts";
import { confirmByName } from "../confirm.ts";
import { openEngine, type EngineStack } from "../../platforms/pulumi/open.ts";
import { localDatabaseUrl } from "../../platforms/compose/database.ts";
import { localProject, localStack, type LocalStack, type Overrides } from "../../platforms/compose/project.ts";
import { localGuard } from "../../platforms/compose/release-guard.ts";
import { timed } from "../../contract/timed.ts";

export interface UpOptions {
  /** Does not ask before it applies. */
  readonly yes?: boolean;
}

/**
 * Brings a stack up with the Pulumi engine: settings, preview under the policy pack, a question, then the same pack and
 * the changes. Works for `local` too, where it provides the images before and applies the migrations after.
 *
 * The images that a cutover has put into the slots stay.
 */
export async function* upCluster(stack: string, given: Overrides, signal: AbortSignal, options: UpOptions = {}): Verb {
  const begun = Date.now();
  const opened = yield* timed("open", `open stack ${stack}`, () => openEngine(stack, given));
  const { engine, settings } = opened;
  const isLocal = settings.environment === "local";
  if (isLocal) yield* provideImages(stack, given, signal);
  yield* keptNotes(opened);

  yield { type: "step", id: "preview", title: "preview", status: "started" };
  const { stream: planned } = yield* engine.preview({ signal });
  const changes = `${planned.changed} to change, ${planned.unchanged} unchanged`;
  yield { type: "step", id: "preview", title: "preview", status: "done", detail: changes };
  if (planned.changed > 0) {
    yield planned.table();
    if (options.yes !== true && !isLocal)
      await confirmByName(stack, `This changes ${planned.changed} resources.`, `./exai up ${stack} --yes`);
    yield* engine.up({ signal });
    if (!isLocal) yield* awaitSlots(settings, signal);
  } else {
    yield { type: "step", id: "apply", title: `${planned.unchanged} resources`, status: "unchanged" };
  }
  const migrated = isLocal ? yield* migrateLocal(localStack(stack, given), signal) : 0;
  yield await summary(stack, engine, planned.changed + migrated, (Date.now() - begun) / 1000, isLocal);
  return EXIT.ok;
}

/** The engine does not wait for the slots: what is wrong with one is said sooner and in more detail here. */
async function* awaitSlots(settings: EngineStack["settings"], signal: AbortSignal): AsyncGenerator<ExaiEvent> {
  const [{ clusterOf }, { SlotObjects }] = await Promise.all([
    import("../../platforms/kubernetes/rollout.ts"),
    import("../../operations/rollout/kubernetes/slot-objects.ts"),
  ]);
  const objects = new SlotObjects(clusterOf(settings), settings.instance);
  for (const slot of SLOTS)
    yield* timed(`ready:${slot}`, `slot ${slot} is ready`, () => objects.rolledOut(slot, signal));
}

async function* migrateLocal(local: LocalStack, signal: AbortSignal): AsyncGenerator<ExaiEvent, number> {
  const guard = localGuard(local, signal);
  const migrated = yield* applyPending(localDatabaseUrl(local), { signal, guard, contract: "leave" });
  for (const message of migrationWarnings(migrated)) yield { type: "note", level: "warning", message };
  return migrated.applied.length;
}

/** The engine takes images that are on this machine, so they are put there first: pulled, or made. */
async function* provideImages(stack: string, given: Overrides, signal: AbortSignal): AsyncGenerator<ExaiEvent> {
  const project = await localProject(localStack(stack, given));
  const { missing } = yield* ensureImages(project.compose.images, { signal });
  if (missing.length === 0) return;
  const grafana = missing.every((image) => image.includes("grafana"));
  throw new UserError(
    "not-found",
    `image ${missing.join(", ")}`,
    "cannot be pulled, and there is nothing to build it from",
    grafana ? `./exai up ${stack} --engine --set grafana=false` : "./exai doctor",
  );
}

function* keptNotes({ kept, settings }: EngineStack): Generator<ExaiEvent> {
  const slots = Object.entries(kept);
  if (slots.length === 0) return;
  const running = slots.map(([slot, image]) => `${slot} ${image}`).join(", ");
  yield { type: "note", level: "info", message: `the slots keep what the last cutover put there: ${running}` };
  if (typeof settings.image === "string" && !slots.some(([, image]) => image === settings.image))
    yield {
      type: "note",
      level: "warning",
      message: `exai:image is ${settings.image}, which no slot runs: a new release comes by ./exai cutover --stack ${settings.stack} --image ${settings.image}`,
    };
}

async function summary(
  stack: string,
  engine: Engine,
  changes: number,
  seconds: number,
  isLocal: boolean,
): Promise<ExaiEvent> {
  const outputs = shownOutputs(await engine.outputs());
  const width = Math.max(0, ...Object.keys(outputs).map((name) => name.length));
  const state = changes === 0 ? "up already, nothing changed" : "up";
  return {
    type: "result",
    title: [
      `${stack} is ${state} (${seconds.toFixed(1)} s)`,
      ...Object.entries(outputs).map(([name, value]) => `  ${name.padEnd(width)}  ${value}`),
    ].join("\n"),
    data: { stack, changes, seconds, outputs },
    next: isLocal
      ? ["./exai status", "./exai cutover --image <image>", `./exai down ${stack}`]
      : [`./exai preview ${stack}`, `pulumi stack output --stack ${stack}`],
  };
}

/** Outputs as text, one level flattened, secrets masked. */
function shownOutputs(outputs: OutputMap): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(outputs).flatMap(([name, { value, secret }]: [string, { value: unknown; secret: boolean }]) => {
      if (secret) return [[name, "********"]];
      if (typeof value === "object" && value !== null)
        return Object.entries(value).map(([key, item]) => [`${name}.${key}`, textOf(item)]);
      return [[name, textOf(value)]];
    }),
  );
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

import { otherSlot, type Slot } from "../../../contract/slots.ts";
import { UserError, type ErrorCode, type ExitCode } from "../../../contract/errors.ts";
import { command, fix, type Fix } from "../../../contract/fix.ts";
import type { HookMoment, PlannedHook } from "../../../contract/hooks.ts";
import type { SchemaNote } from "../../schema/decide.ts";
import { schemaError } from "../../schema/refusal.ts";
import type { SchemaMigration } from "../../schema/state.ts";
import type { RolloutContext } from "../ports/context.ts";
import { checkEnvironment, checkImage, hooksOf, stableNotReady, unfinished, type CutoverRequest } from "./cutover.ts";
import { checkGates, type GateSettings } from "../gates/settings.ts";
import { isLed, slotSnapshots, takeSnapshot, type SlotSnapshot, type Snapshot } from "./snapshot.ts";
import { entriesOf, summaryOf } from "./history.ts";
import type { Holder } from "../ports/lease.ts";
import type { OpenConnections } from "../ports/traffic.ts";
import { atRest, usersSlot } from "../model/machine.ts";
import { timesOf, type PlanTimes } from "../model/plan.ts";
import { plannedSchema } from "../controller/schema-check.ts";
import { SETTLE_SECONDS } from "../controller/state-handlers.ts";

/** The cutover to plan. Without an image, what depends on it is left out. */
export type PlanRequest = Partial<CutoverRequest>;

/** What a cutover would do now, and what it would be refused for. */
export interface CutoverPlan extends PlanTimes {
  readonly stable: Slot;
  readonly candidate: Slot;
  readonly image?: string;
  /** Both slots now. */
  readonly slots: readonly SlotSnapshot[];
  readonly stages: readonly Stage[];
  /** Least time until the candidate has all users permanently. */
  readonly leastSeconds: number;
  /** How long the last completed rollout took; absent if there was none. */
  readonly lastSeconds?: number;
  readonly gates: GateSettings;
  /** Why the cutover would be refused, in the order in which it would find out; empty if it could start. */
  readonly blockers: readonly Blocker[];
  readonly notes: readonly SchemaNote[];
}

/** An error that a cutover would end with. */
export interface Blocker {
  readonly code: ErrorCode;
  readonly where: string;
  readonly problem: string;
  readonly fix: Fix;
  readonly exitCode: ExitCode;
}

/** A state of the cutover, and what is known about it in advance. */
export type Stage = {
  /** Weight of the candidate, percent. */
  readonly weight: number;
  /** Least time, seconds. */
  readonly seconds: number;
} & (
  | { readonly name: "prepare"; readonly leaseHeld: boolean }
  | {
      readonly name: "drain";
      /** Connections of the idle slot; absent if the router does not answer. */
      readonly open?: OpenConnections;
      readonly mcpSessions?: number;
      readonly drainSeconds: number;
    }
  | {
      readonly name: "deploy";
      /** Where the image comes from, in a few words; absent if it is not known. */
      readonly source?: string;
      /** Image that the slot runs now. */
      readonly present?: string;
    }
  | { readonly name: "ready"; readonly withinSeconds: number }
  | { readonly name: "smoke" }
  | { readonly name: "migrate"; readonly schema: PlannedMigrations }
  | { readonly name: "shift"; readonly withinSeconds: number }
  | { readonly name: "approve" }
  /** Hooks run one after the other; those of the end after it. */
  | { readonly name: "hooks"; readonly hooks: readonly PlannedHook[] }
  | { readonly name: "bake" }
  | { readonly name: "standby"; readonly standbySeconds: number }
);

/** What the cutover applies to the schema, or why that is not known. */
export type PlannedMigrations =
  | {
      readonly known: true;
      readonly expand: readonly SchemaMigration[];
      /** Left for `migrate apply`. */
      readonly later: readonly SchemaMigration[];
    }
  | {
      readonly known: false;
      /** `no-database`: the stack has none. `no-image`: it depends on the image. `unavailable`: it cannot be read. */
      readonly reason: "no-database" | "no-image" | "unavailable";
    };

/** Plans a cutover. Takes no lease and changes nothing. */
export async function planCutover(context: RolloutContext, request: PlanRequest): Promise<CutoverPlan> {
  const { image } = request;
  const snapshot = await takeSnapshot(context);
  const { machine } = snapshot.journal;
  const stable = usersSlot(machine);
  const candidate = otherSlot(stable);
  const times = timesOf(request, context.defaults);
  const [blockers, schema, source, lastSeconds] = await Promise.all([
    blockersOf(context, snapshot, stable, request),
    attempt(() => (image === undefined ? undefined : plannedSchema(context, machine, image))),
    attempt(() => (image === undefined ? undefined : context.deployer.locate?.(image, context.signal))),
    lastCompleted(context),
  ]);
  const verdict = schema.value?.verdict;
  if (verdict?.allowed === false) blockers.push(schemaError(verdict.refusal));
  for (const { error } of [schema, source]) if (error !== undefined) blockers.push(error);
  const stages = stagesOf({
    ...{ context, snapshot, candidate, times, source: source.value },
    schema: plannedMigrations(context, image, schema),
    planned: hooksOf(context, request),
  });
  return {
    ...{ stable, candidate, ...(image === undefined ? {} : { image }), ...times },
    ...{ slots: slotSnapshots(snapshot), stages },
    leastSeconds: stages.reduce((sum, { seconds }) => sum + seconds, 0),
    ...(lastSeconds === undefined ? {} : { lastSeconds }),
    gates: context.gates,
    blockers: blockers.map((error) => {
      const { code, where, message, exitCode } = error;
      return { code, where, problem: message, fix: error.fix, exitCode };
    }),
    notes: verdict?.allowed === true ? verdict.notes : [],
  };
}

async function blockersOf(
  context: RolloutContext,
  snapshot: Snapshot,
  stable: Slot,
  request: PlanRequest,
): Promise<UserError[]> {
  const { journal, holder, router } = snapshot;
  const blockers: UserError[] = [];
  const check = async (work: () => void | Promise<void>) => {
    const { error } = await attempt(work);
    if (error !== undefined) blockers.push(error);
  };
  await check(() => {
    checkGates(context.gates);
  });
  if (holder !== undefined && isLed(snapshot)) blockers.push(held(holder));
  else if (!atRest(journal.machine)) blockers.push(unfinished(journal.machine));
  await check(() => checkImage(context, stable, request));
  await check(() => checkEnvironment(context));
  if (router?.ready[stable] === false) blockers.push(stableNotReady(stable));
  return blockers;
}

function held({ who, verb, pid }: Holder): UserError {
  return new UserError(
    "lock-held",
    "rollout lease",
    `${who} holds it: \`${verb}\`, process ${String(pid)}`,
    fix`${command("rollout status --watch")} until it ends`,
  );
}

/** The states of the cutover in their order. */
function stagesOf(facts: {
  readonly context: RolloutContext;
  readonly snapshot: Snapshot;
  readonly candidate: Slot;
  readonly times: PlanTimes;
  readonly source: string | undefined;
  readonly schema: PlannedMigrations;
  readonly planned: readonly PlannedHook[];
}): readonly Stage[] {
  const { context, snapshot, candidate, times, source, schema, planned } = facts;
  const { router, metrics, slots } = snapshot;
  const { steps, holdSeconds, bakeSeconds, standbySeconds, drainSeconds, approval } = times;
  const withinSeconds = holdSeconds + context.gates.noDataSeconds;
  const open = router?.open[candidate];
  const mcpSessions = metrics?.[candidate].mcpSessions;
  const present = slots[candidate].image;
  const before = { weight: 0, seconds: 0 };
  const last = steps.at(-2) ?? 0;
  const hooks = (weight: number, ...when: readonly HookMoment[]): readonly Stage[] => {
    const due = when.flatMap((moment) => planned.filter((hook) => hook.when === moment));
    return due.length === 0 ? [] : [{ name: "hooks", weight, seconds: 0, hooks: due }];
  };
  const shifts = steps
    .slice(0, -1)
    .flatMap((weight, index): readonly Stage[] => [
      ...(index === 0 ? hooks(0, "before-users", "before-step") : hooks(steps[index - 1] ?? 0, "before-step")),
      { name: "shift", weight, seconds: holdSeconds, withinSeconds },
      ...hooks(weight, "after-step"),
    ]);
  return [
    { ...before, name: "prepare", leaseHeld: isLed(snapshot) },
    {
      ...{ ...before, name: "drain", drainSeconds },
      ...(open === undefined ? {} : { open }),
      ...(mcpSessions === undefined ? {} : { mcpSessions }),
    },
    {
      ...{ ...before, name: "deploy" },
      ...(source === undefined ? {} : { source }),
      ...(present === undefined ? {} : { present }),
    },
    { weight: 0, seconds: SETTLE_SECONDS, name: "ready", withinSeconds: context.deadlines.readySeconds },
    { ...before, name: "smoke" },
    { ...before, name: "migrate", schema },
    ...shifts,
    ...(approval ? [{ name: "approve", weight: last, seconds: 0 } as const] : []),
    ...(steps.length === 1 ? hooks(0, "before-users", "before-step") : hooks(last, "before-step")),
    { name: "shift", weight: 100, seconds: 0, withinSeconds: 0 },
    { name: "bake", weight: 100, seconds: bakeSeconds },
    ...hooks(100, "after-step", "before-completion"),
    { name: "standby", weight: 100, seconds: 0, standbySeconds },
    ...hooks(100, "after-completion"),
  ];
}

function plannedMigrations(
  context: RolloutContext,
  image: string | undefined,
  { value }: Attempt<Awaited<ReturnType<typeof plannedSchema>>>,
): PlannedMigrations {
  if (context.schema === undefined) return { known: false, reason: "no-database" };
  if (image === undefined) return { known: false, reason: "no-image" };
  if (value === undefined) return { known: false, reason: "unavailable" };
  return { known: true, expand: value.expand, later: value.later };
}

/** How long the last completed rollout took. */
async function lastCompleted(context: RolloutContext): Promise<number | undefined> {
  const last = (await context.journal.history()).findLast(({ to }) => to === "standby")?.rollout;
  return last === undefined ? undefined : summaryOf(await entriesOf(context, last)).seconds;
}

interface Attempt<Value> {
  readonly value?: Value;
  readonly error?: UserError;
}

/** Runs work that may be refused, and keeps the refusal. */
async function attempt<Value>(work: () => Value | Promise<Value>): Promise<Attempt<Value>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof UserError) return { error };
    throw error;
  }
}

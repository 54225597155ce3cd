import { otherSlot, type Slot } from "../../../contract/slots.ts";
import { EXIT, UserError, UserErrors } from "../../../contract/errors.ts";
import type { ExaiEvent, Verb } from "../../../contract/events.ts";
import { migrationLabel } from "../../migrations/files.ts";
import { schemaError, schemaNoteText } from "../../schema/refusal.ts";
import type { RolloutContext } from "../ports/context.ts";
import { checkSurroundings, stableNotReady, unfinished, type CutoverRequest } from "./cutover.ts";
import { gateLimits } from "./gate-limits.ts";
import { checkGates } from "../gates/settings.ts";
import { glance, isLed, SLOT_COLUMNS, slotRows, type Glance } from "./snapshot.ts";
import { summaryOf } from "./history.ts";
import type { HistoryEntry } from "../model/journal.ts";
import type { Holder } from "../ports/lease.ts";
import { atRest, usersSlot } from "../model/machine.ts";
import { timesOf, type PlanTimes } from "../model/plan.ts";
import { plannedSchema } from "../controller/schema-check.ts";
import { span } from "./span.ts";
import { SETTLE_SECONDS } from "../controller/state-handlers.ts";

/** What `rollout plan` is asked; without an image it tells all but what depends on it. */
export type OutlookRequest = Partial<CutoverRequest>;

/** One line of the outlook. */
interface Stage {
  readonly name: string;
  readonly what: string;
  /** Weight of the candidate in it, percent. */
  readonly weight: number;
  /** What it takes at least, seconds. */
  readonly seconds: number;
}

/**
 * What a cutover would do now, step by step, and what would keep it from beginning. Takes no lease, changes nothing.
 *
 * @returns 0 where a cutover could begin; else the exit code that it would end with: 2 or 3
 */
export async function* outlook(context: RolloutContext, request: OutlookRequest): Verb {
  const seen = await glance(context);
  const { machine } = seen.journal;
  const stable = usersSlot(machine);
  const candidate = otherSlot(stable);
  const times = timesOf(request, context.defaults);
  const [blockers, schema, source, entries] = await Promise.all([
    blockersOf(context, seen, stable),
    attempt(() => (request.image === undefined ? undefined : plannedSchema(context, machine, request.image))),
    attempt(() => (request.image === undefined ? undefined : context.deployer.locate?.(request.image, context.signal))),
    context.journal.history(),
  ]);
  if (schema.value?.verdict.allowed === false) blockers.push(schemaError(schema.value.verdict.refusal));
  for (const { error } of [schema, source]) if (error !== undefined) blockers.push(error);

  yield { type: "table", title: "now", columns: SLOT_COLUMNS, rows: slotRows(seen) };
  const stages = stagesOf({
    ...{ context, seen, stable, candidate, times, source: source.value },
    image: request.image ?? "IMAGE",
    migration: migrationOf(context, request.image, schema),
  });
  yield {
    type: "table",
    title: "then",
    columns: ["state", candidate, "at least", "what happens"],
    rows: stages.map(({ name, weight, seconds, what }) => [
      ...[name, `${String(weight)} %`, seconds === 0 ? "" : span(seconds), what],
    ]),
  };
  const limits = gateLimits(context.gates);
  yield { type: "table", title: "under the gates", columns: ["gate", "passes"], rows: limits };
  const notes = schema.value?.verdict.allowed === true ? schema.value.verdict.notes : [];
  for (const note of notes) yield { type: "note", level: "warning", message: schemaNoteText(note) };
  const least = stages.reduce((sum, { seconds }) => sum + seconds, 0);
  yield conclusion({
    request,
    stable,
    candidate,
    times,
    stages,
    limits,
    least,
    blockers,
    before: lastOf(entries),
    seen,
  });
  return blockers[0]?.exitCode ?? EXIT.ok;
}

function conclusion(facts: {
  readonly request: OutlookRequest;
  readonly stable: Slot;
  readonly candidate: Slot;
  readonly times: PlanTimes;
  readonly stages: readonly Stage[];
  readonly limits: readonly (readonly string[])[];
  readonly least: number;
  readonly blockers: readonly UserError[];
  readonly before: string;
  readonly seen: Glance;
}): ExaiEvent {
  const { request, stable, candidate, times, stages, limits, least, blockers, before, seen } = facts;
  const [first] = blockers;
  const command = `./exai cutover --image ${request.image ?? "IMAGE"}`;
  return {
    type: "result",
    title:
      first === undefined
        ? `a cutover could begin: at least ${span(least)} until ${candidate} has all users for good${before}`
        : `a cutover would not begin:\n${new UserErrors(blockers).message}`,
    data: {
      ...{ possible: first === undefined, stable, candidate, image: request.image, ...times },
      leastSeconds: least,
      stages,
      gates: limits.map(([gate, passes]) => ({ gate, passes })),
      slots: seen.slots,
      open: seen.router?.open,
      holder: seen.holder,
      blockers: blockers.map(({ where, message, fix, exitCode }) => ({ where, problem: message, fix, exitCode })),
    },
    ...(first === undefined ? { next: [command] } : {}),
  };
}

/** What a cutover would be refused for now, in the order in which it would meet it. */
async function blockersOf(context: RolloutContext, seen: Glance, stable: Slot): Promise<UserError[]> {
  const { journal, holder, router } = seen;
  const blockers: UserError[] = [];
  const check = async (work: () => void | Promise<void>) => {
    const { error } = await attempt(work);
    if (error !== undefined) blockers.push(error);
  };
  await check(() => {
    checkGates(context.gates);
  });
  if (holder !== undefined && isLed(seen)) blockers.push(held(holder));
  else if (!atRest(journal.machine)) blockers.push(unfinished(journal.machine));
  await check(() => checkSurroundings(context));
  if (router?.ready[stable] === false) blockers.push(stableNotReady(stable));
  return blockers;
}

function held({ who, verb, pid }: Holder): UserError {
  return new UserError(
    "state-conflict",
    "rollout lease",
    `${who} holds it: \`${verb}\`, process ${String(pid)}`,
    "./exai rollout status --watch   # until it ends",
  );
}

/** The stages of a cutover with what each would meet now. */
function stagesOf(facts: {
  readonly context: RolloutContext;
  readonly seen: Glance;
  readonly stable: Slot;
  readonly candidate: Slot;
  readonly times: PlanTimes;
  readonly image: string;
  readonly source: string | undefined;
  readonly migration: string;
}): readonly Stage[] {
  const { context, seen, stable, candidate, times, image, source, migration } = facts;
  const { deadlines, gates } = context;
  const { steps, holdSeconds, bakeSeconds, standbySeconds, drainSeconds, approval } = times;
  const before = (name: string, what: string, seconds = 0): Stage => ({ name, what, weight: 0, seconds });
  const watched = `gates pass, within ${span(holdSeconds + gates.noDataSeconds)}`;
  const old = seen.slots[candidate].image;
  return [
    before("prepare", `${isLed(seen) ? "the lease is held" : "the lease is free"}; the journal begins`),
    before("drain", `${openOn(seen, candidate)}; what is open may go on for ${span(drainSeconds)}`),
    before(
      "deploy",
      `${image} into ${candidate}${source === undefined ? "" : ` (${source})`}${old === undefined ? "" : `, now ${old}`}`,
    ),
    before("ready", `the router sees it ready without a break, within ${span(deadlines.readySeconds)}`, SETTLE_SECONDS),
    before("smoke", "health, metrics, an MCP session and a WebSocket through the router, no user yet"),
    before("migrate", migration),
    ...steps.slice(0, -1).map((weight) => ({ name: "shift", what: watched, weight, seconds: holdSeconds })),
    ...(approval
      ? [{ name: "approve", what: "waits for ./exai rollout promote", weight: steps.at(-2) ?? 0, seconds: 0 }]
      : []),
    { name: "shift", what: `${candidate} has all users`, weight: 100, seconds: 0 },
    { name: "bake", what: "gates pass", weight: 100, seconds: bakeSeconds },
    { name: "standby", what: `done; ${stable} stays warm for ${span(standbySeconds)}`, weight: 100, seconds: 0 },
  ];
}

function openOn({ router, figures }: Glance, slot: Slot): string {
  const open = router?.open[slot];
  if (open === undefined) return `what is open on ${slot} is not known`;
  const sessions = figures?.[slot].mcpSessions;
  return [
    `${String(open.webSockets)} WebSockets`,
    `${String(open.streams)} streams`,
    ...(sessions === undefined ? [] : [`${String(sessions)} MCP sessions`]),
  ]
    .join(", ")
    .concat(` on ${slot}`);
}

function migrationOf(
  context: RolloutContext,
  image: string | undefined,
  schema: Attempt<Awaited<ReturnType<typeof plannedSchema>>>,
): string {
  if (context.schema === undefined) return "no schema of this stack's own";
  if (image === undefined) return "depends on the image";
  if (schema.value === undefined) return "the schema cannot be read";
  const { expand, later } = schema.value;
  const names = (those: typeof expand) => those.map(migrationLabel).join(", ");
  const applied = expand.length === 0 ? "nothing to expand" : `expands: ${names(expand)}`;
  return later.length === 0 ? applied : `${applied}; left for ./exai migrate apply: ${names(later)}`;
}

/** What the last completed rollout took, beside what is the least. */
function lastOf(entries: readonly HistoryEntry[]): string {
  const last = entries.findLast(({ to }) => to === "standby")?.rollout;
  if (last === undefined) return "";
  const { seconds } = summaryOf(entries.filter(({ rollout }) => rollout === last));
  return `; the last one took ${span(seconds)}`;
}

interface Attempt<Value> {
  readonly value?: Value;
  readonly error?: UserError;
}

/** Does what may refuse, and keeps the refusal. */
async function attempt<Value>(work: () => Value | Promise<Value>): Promise<Attempt<Value>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof UserError) return { error };
    throw error;
  }
}

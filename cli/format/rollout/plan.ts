import { command } from "../../../contract/fix.ts";
import type { PlannedHook } from "../../../contract/hooks.ts";
import { migrationLabel } from "../../../contract/sql/files.ts";
import type { CutoverPlan, PlannedMigrations, Stage } from "../../../operations/rollout/commands/plan.ts";
import type { GateSettings } from "../../../operations/rollout/gates/settings.ts";
import { schemaNoteText } from "../../../operations/schema/refusal.ts";
import { heading, lines, next, typed, type Block } from "../block.ts";
import { slotTable } from "./status.ts";
import { span } from "../units.ts";

/** `rollout plan`: the slots now, the stages, the gates, and whether the cutover could start. */
export function formatCutoverPlan(plan: CutoverPlan): readonly Block[] {
  const { candidate, image, stages, slots, leastSeconds, lastSeconds, blockers } = plan;
  const metrics = slots.some((slot) => slot.metrics !== undefined);
  return [
    slotTable({ slots, prometheus: metrics ? "available" : "unavailable" }, "now"),
    {
      type: "table",
      title: "cutover",
      columns: [
        { title: "state" },
        { title: candidate, align: "right" },
        { title: "at least", align: "right", priority: 1 },
        { title: "what happens" },
      ],
      rows: stages.map((stage) => [
        stage.name,
        `${String(stage.weight)} %`,
        stage.seconds === 0 ? "" : span(stage.seconds),
        stageText(stage, plan),
      ]),
    },
    {
      type: "table",
      title: "gates",
      columns: [{ title: "gate" }, { title: "passes if" }],
      rows: gateLimits(plan.gates),
    },
    ...plan.notes.map((note): Block => ({ type: "warning", text: schemaNoteText(note) })),
    ...(blockers.length === 0
      ? [
          heading(
            `a cutover can start: at least ${span(leastSeconds)} until ${candidate} has all users permanently${lastSeconds === undefined ? "" : `; the last one took ${span(lastSeconds)}`}`,
            "good",
          ),
          next(command(`cutover --image ${image ?? "IMAGE"}`)),
        ]
      : [
          heading("a cutover would be refused:", "bad"),
          ...blockers.flatMap(({ where, problem, fix }): readonly Block[] => [
            lines(`${where}: ${problem}`),
            { type: "fix", fix },
          ]),
        ]),
  ];
}

function stageText(stage: Stage, { stable, candidate, image = "IMAGE" }: CutoverPlan): string {
  switch (stage.name) {
    case "prepare":
      return stage.leaseHeld ? "the lease is held" : "the lease is free";
    case "drain": {
      const { open, mcpSessions } = stage;
      const sessions = mcpSessions === undefined ? [] : [`${String(mcpSessions)} MCP sessions`];
      const connections =
        open === undefined
          ? "unknown connections"
          : [`${String(open.webSockets)} WebSockets`, `${String(open.streams)} streams`, ...sessions].join(", ");
      return `${connections} on ${candidate} may stay open for ${span(stage.drainSeconds)}`;
    }
    case "deploy": {
      const source = stage.source === undefined ? "" : ` (${stage.source})`;
      return `${image} into ${candidate}${source}${stage.present === undefined ? "" : `, now ${stage.present}`}`;
    }
    case "ready":
      return `the router sees it ready without interruption, within ${span(stage.withinSeconds)}`;
    case "smoke":
      return "health, metrics, an MCP session and a WebSocket through the router, without users";
    case "migrate":
      return migrationText(stage.schema);
    case "shift":
      return stage.weight === 100 ? `${candidate} has all users` : `gates pass, within ${span(stage.withinSeconds)}`;
    case "approve":
      return `waits for ${typed(command("rollout promote"))}`;
    case "hooks":
      return stage.hooks.map(plannedHookText).join("; ");
    case "bake":
      return "gates pass";
    case "standby":
      return `complete; ${stable} stays warm for ${span(stage.standbySeconds)}`;
  }
}

function plannedHookText({ name, timeoutSeconds, onFailure }: PlannedHook): string {
  const consequence = onFailure === "rollback" ? "otherwise it rolls back" : "a failure is noted";
  return `${name} within ${span(timeoutSeconds)}, ${consequence}`;
}

function migrationText(schema: PlannedMigrations): string {
  if (schema.known) {
    const names = (migrations: typeof schema.expand) => migrations.map(migrationLabel).join(", ");
    const applied = schema.expand.length === 0 ? "nothing to expand" : `applies ${names(schema.expand)}`;
    return schema.later.length === 0
      ? applied
      : `${applied}; left for ${typed(command("migrate apply"))}: ${names(schema.later)}`;
  }
  switch (schema.reason) {
    case "no-database":
      return "the stack has no database";
    case "no-image":
      return "depends on the image";
    case "unavailable":
      return "the schema cannot be read";
  }
}

/** Every gate and its limit. */
function gateLimits(settings: GateSettings): readonly (readonly [gate: string, passes: string])[] {
  const { minimumSamples, minimumRoundTrips, noDataSeconds, memoryGrowth } = settings;
  return [
    [
      "samples",
      `${String(minimumSamples)} requests and ${String(minimumRoundTrips)} WebSocket round trips in a step, with probes if needed; otherwise it holds for ${String(noDataSeconds)} s`,
    ],
    ["errors", `fewer than ${percent(settings.errorRatio)} of the requests end with 500 or above`],
    ["p95", `below ${String(settings.p95Milliseconds)} ms`],
    ["p99", `below ${String(settings.p99Milliseconds)} ms`],
    ["websocket", `p95 of round trips below ${String(settings.webSocketMilliseconds)} ms, and WebSockets open`],
    ["compared", "errors, refusals and slow requests are no worse than on the other slot in the same seconds"],
    ...(memoryGrowth === 0
      ? []
      : ([
          ["memory", `grows by less than ${String(memoryGrowth)} MB per minute more than on the other slot`],
        ] as const)),
    ["restarts", `at most ${String(settings.restarts)} of the slot's container`],
    ...settings.queries.map(({ name, query, comparison, limit, stableRatio }): readonly [string, string] => {
      const ratio = stableRatio === undefined ? "" : `, and ${String(stableRatio)} times the other slot's`;
      return [name, `${query} ${comparison} ${String(limit)}${ratio}`];
    }),
  ];
}

function percent(share: number): string {
  return `${String(Number((share * 100).toPrecision(3)))} %`;
}

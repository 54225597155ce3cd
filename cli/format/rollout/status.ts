import { command } from "../../../contract/fix.ts";
import type { RolloutStatus } from "../../../operations/rollout/commands/status.ts";
import type { WatchResult } from "../../../operations/rollout/commands/watch.ts";
import type { SlotSnapshot } from "../../../operations/rollout/commands/snapshot.ts";
import { hookResultText } from "../../../operations/notify/wording.ts";
import { heading, lines, next, type Block, type Column, type NextCommand, type ViewFormatter } from "../block.ts";
import { summaryText } from "./history.ts";
import { causeText, holderText, weightsText } from "./words.ts";
import { span } from "../units.ts";
import { byImportance, verdictCells, VERDICT_COLUMNS } from "../gates.ts";

/** `rollout status`. */
export function formatRolloutStatus(status: RolloutStatus): readonly Block[] {
  return [...viewBlocks(status, []), heading(`${status.label}: ${weightsText(status.weights)}`), nextBlock(status)];
}

/** The views of `rollout status --watch`. */
export const ROLLOUT_VIEW: ViewFormatter<RolloutStatus> = {
  blocks: (status) => viewBlocks(status, [titleBlock(status)]),
  line: (status, at) => {
    const open = status.slots.flatMap(({ slot, open: found }) =>
      found === undefined ? [] : [`${slot} ${String(found.webSockets)} WebSockets, ${String(found.streams)} streams`],
    );
    const cause = status.state === "rollback" && status.transition !== undefined ? causeText(status.transition) : "";
    const parts = [weightsText(status.weights), ...unready(status), ...open, leaderText(status), cause];
    return `${at} ${status.label}: ${parts.filter((part) => part !== "").join("; ")}`;
  },
  change: (status) => {
    const { label, weights, leader, holder, rollout, transition } = status;
    return JSON.stringify([label, weights, unready(status), leader, holder, rollout?.id, transition?.at]);
  },
};

/** How `rollout status --watch` ended. */
export function formatWatchResult(result: WatchResult): readonly Block[] {
  if (result.outcome === "interrupted") return [heading("interrupted; the rollout was not changed")];
  const history = command(`rollout history ${result.rollout}`);
  return [
    heading(`${summaryText(result)}; ${weightsText(result.weights)}`, result.outcome === "completed" ? "good" : "bad"),
    next(history),
  ];
}

function titleBlock({ label, secondsInState, rollout }: RolloutStatus): Block {
  const since = secondsInState === undefined ? "" : ` for ${span(secondsInState)}`;
  return heading(`${label}${since}${rollout === undefined ? "" : `, rollout ${rollout.id}`}`);
}

function viewBlocks(status: RolloutStatus, title: readonly Block[]): readonly Block[] {
  const { rollout, pause, transition } = status;
  const reason = rollout === undefined || rollout.reason === "" ? "" : `: ${rollout.reason}`;
  const cause = transition === undefined ? "" : causeText(transition);
  const details = [
    ...(rollout === undefined ? [] : [`${rollout.image} into ${rollout.candidate}, by ${rollout.by}${reason}`]),
    ...(cause === "" || cause === rollout?.reason ? [] : [`why: ${cause}`]),
    ...(pause === undefined
      ? []
      : [`paused by ${pause.by} at ${pause.at}${pause.reason === "" ? "" : `: ${pause.reason}`}`]),
    ...[leaderText(status)].filter((text) => text !== ""),
  ];
  const verdicts = byImportance(status.gates ?? transition?.verdicts ?? []);
  return [
    ...title,
    slotTable(status),
    ...(details.length === 0 ? [] : [lines(...details)]),
    ...((status.hooks ?? []).length === 0
      ? []
      : [
          {
            type: "table",
            title: "hooks",
            columns: [{ title: "hook" }, { title: "step" }, { title: "result" }],
            rows: (status.hooks ?? []).map((run) => [run.hook, run.step, hookResultText(run)]),
          } as const,
        ]),
    ...(verdicts.length === 0
      ? []
      : [
          {
            type: "table",
            title: status.gates === undefined ? `gates before "${status.label}"` : "gates",
            columns: VERDICT_COLUMNS,
            rows: verdicts.map(verdictCells),
          } as const,
        ]),
    ...warnings(status).map((text): Block => ({ type: "warning", text })),
  ];
}

/** Both slots: weight, load and connections. */
export function slotTable({ slots, prometheus }: Pick<RolloutStatus, "slots" | "prometheus">, title?: string): Block {
  return {
    type: "table",
    ...(title === undefined ? {} : { title }),
    columns: SLOT_COLUMNS,
    rows: slots.map((slot) => slotCells(slot, prometheus === "available" ? "-" : "?")),
  };
}

const SLOT_COLUMNS: readonly Column[] = [
  { title: "slot" },
  { title: "weight", align: "right" },
  { title: "router" },
  { title: "req/s", align: "right", priority: 3 },
  { title: "errors", align: "right", priority: 1 },
  { title: "p95", align: "right", priority: 2 },
  { title: "WebSockets", align: "right", priority: 5 },
  { title: "streams", align: "right", priority: 6 },
  { title: "sessions", align: "right", priority: 7 },
  { title: "restarts", align: "right", priority: 8 },
  { title: "image", priority: 4 },
];

/** The cells of {@link SLOT_COLUMNS}. `?`: the source does not answer; `unknown`: there is no data for the metric. */
function slotCells({ slot, weight, ready, open, metrics, running, restarts, image }: SlotSnapshot, unknown: string) {
  const { requestRate, errorRatio, p95Milliseconds, mcpSessions } = metrics ?? {};
  return [
    slot,
    `${String(weight)} %`,
    ready === undefined ? "?" : ready ? "ready" : "not ready",
    requestRate === undefined ? unknown : requestRate.toFixed(requestRate < 10 ? 1 : 0),
    errorRatio === undefined ? unknown : `${(errorRatio * 100).toFixed(2)} %`,
    p95Milliseconds === undefined ? unknown : `${p95Milliseconds.toFixed(0)} ms`,
    ...(open === undefined ? ["?", "?"] : [open.webSockets, open.streams].map(String)),
    mcpSessions === undefined ? unknown : String(mcpSessions),
    String(restarts),
    running ? (image ?? "?") : "(stopped)",
  ];
}

function unready({ router, slots }: RolloutStatus): readonly string[] {
  if (router === "unavailable") return ["the router does not answer"];
  return slots.filter(({ ready }) => ready === false).map(({ slot }) => `${slot} is not ready`);
}

function warnings({ router, prometheus, table, tableInForce, slots }: RolloutStatus): readonly string[] {
  const described = (each: typeof tableInForce) =>
    each === undefined ? "no table" : `table ${String(each.generation)} (${weightsText(each.weights)})`;
  return [
    ...(router === "unavailable" ? ["the router does not answer"] : []),
    ...(router === "differs" ? [`the router has ${described(tableInForce)}, the journal ${described(table)}`] : []),
    ...(prometheus === "unavailable" ? ["Prometheus does not answer"] : []),
    ...slots.flatMap(({ slot, image, rolloutImage }) =>
      rolloutImage === undefined
        ? []
        : [`${slot} has ${image ?? "?"}, which no rollout deployed; the last one deployed ${rolloutImage}`],
    ),
  ];
}

function leaderText({ leader, holder, standby }: RolloutStatus): string {
  const name = holder === undefined ? "" : holderText(holder);
  switch (leader) {
    case "process":
      return `led by ${name}`;
    case "doubtful":
      return `${name} may still lead it: its last renewal does not fit this machine's clock`;
    case "none":
      return "no process leads it";
    case "not-needed":
      if (standby === undefined) return "";
      return standby.over ? `still warm, its time ended ${standby.until ?? "?"}` : `warm until ${standby.until ?? "?"}`;
  }
}

function nextBlock({ state, leader, pause, router, standby, slots, active, rollout }: RolloutStatus): Block {
  const replaced = slots.find(({ slot }) => slot === active)?.rolloutImage;
  const commands: readonly NextCommand[] =
    router === "unavailable"
      ? [command("up")]
      : leader === "none" || leader === "doubtful"
        ? [command("rollout resume"), command("rollout abort")]
        : router === "differs"
          ? [command("rollout resume")]
          : standby !== undefined
            ? [
                ...(standby.over ? [command("rollout finish")] : []),
                command(`rollout history ${rollout?.id ?? ""}`.trim()),
                { ...command("rollback"), comment: "returns to the old release" },
              ]
            : state === "approve"
              ? [command("rollout promote"), command("rollout abort")]
              : pause === undefined
                ? replaced === undefined
                  ? []
                  : [command(`cutover --image ${replaced}`)]
                : [command("rollout resume"), command("rollout abort")];
  return next(...commands);
}

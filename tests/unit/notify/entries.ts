import type { HistoryEntry } from "../../../operations/rollout/model/journal.ts";
import type { StateName } from "../../../operations/rollout/model/machine.ts";

/** The history of a rollout from blue to green; a number is a step with that share of the users. */
export function rolloutEntries(...states: readonly (StateName | number)[]): HistoryEntry[] {
  let from: StateName = "idle";
  let green = 0;
  return states.map((state, index) => {
    const to = typeof state === "number" ? "shift" : state;
    if (typeof state === "number") green = state;
    if (state === "rollback") green = 0;
    if (state === "bake") green = 100;
    const entry: HistoryEntry = {
      sequence: index + 1,
      at: new Date(Date.now() - 60_000 + index * 1000).toISOString(),
      who: "ann@host",
      rollout: "r1",
      from,
      to,
      label: to === "shift" ? `shift ${String(green)} %` : to,
      reason: to === "prepare" ? "release 2" : "",
      images: { blue: "exai:1", green: "exai:2" },
      weights: { blue: 100 - green, green },
      verdicts: [],
    };
    from = to;
    return entry;
  });
}

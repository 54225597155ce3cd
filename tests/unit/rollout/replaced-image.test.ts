import { expect, test } from "vitest";
import { formatRolloutStatus } from "../../../cli/format/rollout/status.ts";
import { FIRST_TABLE } from "../../../contract/envoy/routes.ts";
import { slotSnapshots, type Snapshot } from "../../../operations/rollout/commands/snapshot.ts";
import { statusOf } from "../../../operations/rollout/commands/status.ts";
import { firstJournal } from "../../../operations/rollout/model/journal.ts";
import type { Holder } from "../../../operations/rollout/ports/lease.ts";

const HOLDER: Holder = { who: "ann@host", pid: 1, verb: "cutover" };

/** Both slots with an image each, after a rollout that has deployed `a@2` into green. */
function snapshot(green: string, holder?: Holder): Snapshot {
  const slot = (image: string) => ({ running: true, restarts: 0, image });
  return {
    at: Date.parse("2026-11-29T10:00:00Z"),
    journal: { ...firstJournal(FIRST_TABLE), images: { blue: "a@1", green: "a@2" } },
    holder,
    router: {
      table: FIRST_TABLE,
      ready: { blue: true, green: true },
      open: { blue: { webSockets: 0, streams: 0, requests: 0 }, green: { webSockets: 0, streams: 0, requests: 0 } },
    },
    slots: { blue: slot("a@1"), green: slot(green) },
    metrics: undefined,
  };
}

test("a slot whose image was changed without a rollout shows the image that the last rollout deployed", () => {
  const replaced = snapshot("a@1");
  expect(slotSnapshots(replaced).map(({ rolloutImage }) => rolloutImage)).toEqual([undefined, "a@2"]);
  expect(formatRolloutStatus(statusOf(replaced))).toContainEqual({
    type: "warning",
    text: "green has a@1, which no rollout deployed; the last one deployed a@2",
  });
});

test("a slot with the image of the last rollout, or one that a led rollout is changing, is not a deviation", () => {
  for (const each of [snapshot("a@2"), snapshot("a@3", HOLDER)])
    expect(slotSnapshots(each).map(({ rolloutImage }) => rolloutImage)).toEqual([undefined, undefined]);
});

import { command } from "../../../contract/fix.ts";
import type { Release, ReleaseList } from "../../../operations/rollout/commands/releases.ts";
import { heading, next, type Block } from "../block.ts";

const STATES: Readonly<Record<Release["state"], string>> = {
  serving: "has the users",
  warm: "warm",
  earlier: "not running",
};

/** `releases`: newest first. */
export function formatReleases({ releases }: ReleaseList): readonly Block[] {
  const older = releases.find(({ state }) => state !== "serving");
  return [
    {
      type: "table",
      columns: [
        { title: "image" },
        { title: "state" },
        { title: "since", priority: 1 },
        { title: "rollout", priority: 2 },
        { title: "who", priority: 3 },
      ],
      rows: releases.map(({ image, state, at = "", rollout = "", who = "", rolledBack }) => [
        image,
        rolledBack === true ? `${STATES[state]}, rolled back` : STATES[state],
        at.replace(/\.\d+Z$/, "Z"),
        rollout,
        who,
      ]),
    },
    heading(`${String(releases.length)} release${releases.length === 1 ? "" : "s"}`),
    ...(older === undefined
      ? []
      : [next({ ...command(`rollback --to ${older.image}`), comment: "return to an earlier one" })]),
  ];
}

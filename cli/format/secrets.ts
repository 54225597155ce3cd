import { command } from "../../contract/fix.ts";
import { SLOTS } from "../../contract/slots.ts";
import { keyName, type RotationResult } from "../../operations/secrets/rotate.ts";
import type { RotationStep } from "../../operations/secrets/rotation.ts";
import type { RotationStatus } from "../../operations/secrets/status.ts";
import { heading, lines, next, type Block } from "./block.ts";

const ROTATE = command("secrets rotate jwt");
const ABORT = command("secrets rotate jwt --abort");

/** `secrets rotate`. */
export function formatSecretsRotate(result: RotationResult): readonly Block[] {
  const { rotation } = result;
  const { signing } = rotation;
  switch (result.outcome) {
    case "replaced":
      return [
        heading(`${keyName(rotation, "current")} is replaced: only ${keyName(rotation, "next")} is accepted`, "good"),
        next(command("secrets status"), command("rollout history")),
      ];
    case "reverted":
      return [
        heading(`rotation aborted: only ${keyName(rotation, "current")} is accepted`, "good"),
        next(command("secrets status"), command("rollout history")),
      ];
    case "waiting":
      return [
        heading(`both slots accept both keys, and ${keyName(rotation, signing)} signs`),
        lines(
          `  Sign new tokens with the ${signing} key.`,
          `  Tokens of the other key expire by ${result.until}; the rotation continues then.`,
        ),
        next(
          { ...ROTATE, comment: `from ${result.until} on` },
          { ...command("secrets rotate jwt --wait"), comment: "waits until then" },
        ),
      ];
    case "cutover-failed":
      return [
        heading(`rotation ${rotation.id} stopped in "${rotation.phase}": a cutover did not complete`, "bad"),
        lines("  No token is rejected meanwhile."),
        next(
          command("rollout history"),
          { ...ROTATE, comment: "continues the rotation" },
          { ...ABORT, comment: "returns to the previous key" },
        ),
      ];
  }
}

/** `secrets status`. */
export function formatSecretsStatus(status: RotationStatus): readonly Block[] {
  if (status.state === "none") return [heading("no key has been rotated"), next(ROTATE)];
  const { rotation } = status;
  if (status.state === "ended") {
    const outcome = rotation.target === "next" ? "replaced" : "kept (aborted)";
    return [
      heading(`no rotation is under way: ${keyName(rotation, "current")} was ${outcome}`),
      lines(`  rotation ${rotation.id} of ${rotation.by}, ended ${rotation.endedAt ?? ""}`),
    ];
  }
  const { active, step } = status;
  return [
    {
      type: "table",
      columns: [
        { title: "SLOT" },
        { title: "USERS" },
        { title: "KEYS (FIRST SIGNS)" },
        { title: "NEXT DEPLOYMENT", priority: 1 },
      ],
      rows: SLOTS.map((slot) => [
        slot,
        slot === active ? "yes" : "",
        rotation.running[slot] ?? "unknown",
        rotation.wanted[slot],
      ]),
    },
    heading(`rotation ${rotation.id} of ${rotation.by} is in "${rotation.phase}"`),
    lines(
      `  sign with the ${rotation.signing} key (${keyName(rotation, rotation.signing)})`,
      `  next: ${stepText(step)}`,
    ),
    next(ROTATE, ABORT),
  ];
}

function stepText(step: RotationStep): string {
  switch (step.type) {
    case "cutover":
      return `${step.slot} gets the keys ${step.keys}, and the users`;
    case "wait":
      return `wait until ${step.until}, when the other key's tokens have expired`;
    case "sign":
      return "sign with the key that stays";
    case "introduce":
      return "make every slot sign with the key that stays, then wait again";
    case "retire":
      return "drop the other key, slot by slot";
    case "settle":
      return "drop the other key from the settings";
    case "done":
      return "nothing";
  }
}

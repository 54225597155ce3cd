import { command } from "../../contract/fix.ts";
import type { DoctorResult } from "../../platforms/machine/doctor.ts";
import { heading, next, typed, type Block, type Text } from "./block.ts";

/** `doctor`. */
export function formatDoctor({ ready, findings }: DoctorResult): readonly Block[] {
  const missing = findings.filter((finding) => !finding.ok && finding.needed);
  return [
    {
      type: "table",
      columns: [{ title: "CHECK" }, { title: "STATE" }, { title: "FOUND", minimum: 16 }, { title: "FIX", minimum: 28 }],
      rows: findings.map(({ name, ok, needed, found, fix }) => [
        name,
        state(ok, needed),
        found,
        ok ? "" : typeof fix === "string" ? fix : fix.render(typed),
      ]),
    },
    heading(
      ready
        ? "this machine can run ./exai up and ./exai test"
        : `missing: ${missing.map(({ name }) => name).join(", ")}`,
      ready ? "good" : "bad",
    ),
    ...(ready ? [next(command("up"))] : []),
    ...(missing.some(({ packages }) => packages !== undefined)
      ? [next({ ...command("doctor --install"), comment: "as root, on Debian or Ubuntu" })]
      : []),
  ];
}

function state(ok: boolean, needed: boolean): Text {
  if (ok) return { text: "ok", tone: "good" };
  return needed ? { text: "missing", tone: "bad" } : { text: "optional", tone: "quiet" };
}

import { command, fix } from "../../contract/fix.ts";
import type { Announcement } from "./announcement.ts";
import type { Failure } from "../../contract/failure.ts";
import type { HookReason, HookRun } from "../../contract/hooks.ts";
import type { Verdict, VerdictUnit } from "../../contract/verdict.ts";

/** An announcement in one sentence, without the stack. */
export function announcementText({ kind, stable, candidate, image, weights }: Announcement): string {
  const share = `${candidate} has ${String(weights[candidate])} % of the users (${image})`;
  switch (kind) {
    case "started":
      return `rollout started: ${image} into ${candidate}`;
    case "step":
      return share;
    case "bake":
      return `${candidate} has all users, under gates (${image})`;
    case "approval":
      return `approval needed: ${share}; ${fix`${command("rollout promote")}, or ${command("rollout abort")}`.toString()}`;
    case "completed":
      return `completed: ${candidate} has all users (${image}); ${stable} stays warm`;
    case "rollback":
      return `rolling back: ${stable} gets the users from ${candidate} (${image})`;
    case "rolled-back":
      return `rolled back: ${stable} has all users`;
    case "kept":
      return `the rollback failed: ${stable} did not become ready, ${candidate} keeps the users`;
  }
}

/** A verdict as a short line: `p95: fail, 700 ms (limit 500 ms)`. */
export function verdictText({ gate, verdict, why, figure, limit, unit }: Verdict): string {
  if (figure === undefined || unit === undefined) return `${gate}: ${verdict}, ${why}`;
  const bound = limit === undefined ? "" : ` (limit ${amount(limit, unit)})`;
  const cause = verdict === "no-data" ? `, ${why}` : "";
  return `${gate}: ${verdict}, ${amount(figure, unit)}${bound}${cause}`;
}

/** A failure as a short line. */
export function failureText(failure: Failure): string {
  switch (failure.code) {
    case "gate-failed":
      return failure.verdicts.map(verdictText).join("; ");
    case "gates-timeout":
      return `no pass within ${String(failure.seconds)} s: ${failure.verdicts.map(verdictText).join("; ")}`;
    case "unready":
      return `${failure.slot} is not ready`;
    case "not-ready":
      return `${failure.slot} is not ready after ${String(failure.seconds)} s: ${failure.last}`;
    case "container-failed":
      return verdictText(failure.verdict);
    case "smoke-failed":
      return `smoke test, ${failure.check}: ${failure.message}`;
    case "hook-failed":
      return `hook ${hookText(failure.run)}`;
    case "error":
      return failure.message;
  }
}

/** A run of a hook: `acceptance failed (attempt 2), refused, 409: no capacity`. */
export function hookText(run: HookRun): string {
  return `${run.hook} ${hookResultText(run)}`;
}

/** What became of a run: `failed, refused, 503: no capacity`. */
export function hookResultText({ attempt, end }: Pick<HookRun, "attempt" | "end">): string {
  const again = attempt === 1 ? "" : ` (attempt ${String(attempt)})`;
  if (end === undefined) return `runs${again}`;
  const status = end.status === undefined ? "" : String(end.status);
  const why =
    end.why === "accepted" ? status : [HOOK_REASONS[end.why], status].filter((part) => part !== "").join(", ");
  const answer = end.answer === undefined ? "" : `: ${end.answer}`;
  return `${end.outcome}${again}${why === "" ? "" : `, ${why}`}${answer}`;
}

const HOOK_REASONS: Readonly<Record<Exclude<HookReason, "accepted">, string>> = {
  refused: "refused",
  redirected: "a redirect is not followed",
  timeout: "no acceptance in its time",
  "not-started": "the program cannot be started",
  "not-configured": "not configured on this machine",
};

/** A figure with its unit. */
export function amount(value: number, unit: VerdictUnit = "value"): string {
  switch (unit) {
    case "share":
      return `${String(Number((value * 100).toPrecision(3)))} %`;
    case "ratio":
      return `${value.toFixed(1)} times`;
    case "value":
      return String(Number(value.toPrecision(3)));
    case "restarts":
      return String(value);
    case "ms":
    case "MB/min":
      return `${value.toFixed(0)} ${unit}`;
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { Interrupted } from "../../contract/interrupted.ts";
import { callApi, readApi, type ManagementAccess } from "./api.ts";

/** A hosted project whose database can be restored in place. */
export interface HostedProject {
  readonly stack: string;
  readonly ref: string;
  readonly access: ManagementAccess;
}

/** Supabase has restored the project to a time. */
export interface HostedRestored {
  readonly outcome: "restored-hosted";
  readonly stack: string;
  /** Reference of the project. */
  readonly project: string;
  readonly at: Date;
  /** How long the project did not serve, as far as the API says. */
  readonly seconds: number;
}

const BACKUPS = z.object({
  pitr_enabled: z.boolean(),
  physical_backup_data: z
    .object({
      earliest_physical_backup_date_unix: z.number().nullish(),
      latest_physical_backup_date_unix: z.number().nullish(),
    })
    .nullish(),
});

/** Seconds until the project must say that it is being restored, and until it must serve again. */
const BEGIN_SECONDS = 300;
const END_SECONDS = 6 * 3600;

/** States of a project from which it does not come back alone. */
const LOST = ["RESTORE_FAILED", "INIT_FAILED", "REMOVED", "PAUSE_FAILED"];

/**
 * Refuses a restore that Supabase would refuse, with what to use instead.
 *
 * @throws UserError `state-conflict` if point-in-time recovery is off, or the time is outside of what it keeps
 */
export async function checkPointInTime({ stack, ref, access }: HostedProject, at: Date): Promise<void> {
  const answer = BACKUPS.parse(await readApi(`/projects/${ref}/database/backups`, access));
  const instead = fix`${command(`restore ${stack} --to ${at.toISOString().slice(0, 19)}Z`)} restores the last dump from before it into a scratch server`;
  if (!answer.pitr_enabled)
    throw new UserError("state-conflict", `project ${ref}`, "has point-in-time recovery switched off", instead);
  const { earliest_physical_backup_date_unix: earliest, latest_physical_backup_date_unix: latest } =
    answer.physical_backup_data ?? {};
  if (typeof earliest !== "number" || typeof latest !== "number")
    throw new UserError("state-conflict", `project ${ref}`, "has no physical backup yet", instead);
  const seconds = unixSeconds(at);
  if (seconds >= earliest && seconds <= latest) return;
  const [from, to] = [earliest, latest].map((each) => new Date(each * 1000).toISOString());
  throw new UserError(
    "state-conflict",
    `project ${ref}`,
    `can be restored to ${from ?? ""} until ${to ?? ""}, and ${at.toISOString()} is outside of it`,
    instead,
  );
}

/**
 * Restores the project's database to a time by Supabase's point-in-time recovery, and waits until it serves. The project does not serve
 * meanwhile.
 *
 * @throws UserError as {@link checkPointInTime}, or if the project does not come back
 */
export async function* restorePointInTime(
  project: HostedProject,
  at: Date,
  { signal, pollSeconds = 5 }: { readonly signal?: AbortSignal; readonly pollSeconds?: number } = {},
): Operation<HostedRestored> {
  const { stack, ref, access } = project;
  await checkPointInTime(project, at);
  const step = { type: "step", id: "restore", title: `restore project ${ref} to ${at.toISOString()}` } as const;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  yield { ...step, status: "started" };
  const body = { recovery_time_target_unix: unixSeconds(at) };
  await callApi("POST", `/projects/${ref}/database/backups/restore-pitr`, access, body);
  let begun = false;
  let said = "";
  try {
    for (;;) {
      const status = await statusOf(project);
      if (status !== undefined && status !== said) yield { ...step, status: "progress", detail: status };
      said = status ?? said;
      if (status !== undefined && LOST.includes(status)) throw ended(project, "failed", `is ${status}`);
      if (status === "ACTIVE_HEALTHY" && begun) break;
      begun ||= status !== undefined && status !== "ACTIVE_HEALTHY";
      if (!begun && seconds() > BEGIN_SECONDS)
        throw ended(project, "timeout", `has not begun the restore after ${String(BEGIN_SECONDS)} s`);
      if (seconds() > END_SECONDS) throw ended(project, "timeout", `is still ${said}`);
      await sleep(pollSeconds * 1000, undefined, { signal });
    }
  } catch (cause) {
    if (signal?.aborted !== true) throw cause;
    throw new Interrupted(`Supabase goes on with the restore of project ${ref}`, fix`${command(`status ${stack}`)}`, {
      cause,
    });
  }
  yield { ...step, status: "done", seconds: seconds() };
  return { outcome: "restored-hosted", stack, project: ref, at: new Date(unixSeconds(at) * 1000), seconds: seconds() };
}

/** Undefined if the API does not answer: it is asked again. */
async function statusOf({ ref, access }: HostedProject): Promise<string | undefined> {
  const answer = await readApi(`/projects/${ref}`, access).catch((error: unknown) => {
    if (error instanceof UserError && error.code === "unavailable") return {};
    throw error;
  });
  return z.object({ status: z.string().optional() }).parse(answer).status;
}

function ended({ ref }: HostedProject, code: "failed" | "timeout", problem: string): UserError {
  return new UserError(
    code,
    `project ${ref}`,
    problem,
    `see https://supabase.com/dashboard/project/${ref}/database/backups/pitr`,
  );
}

/** The API takes whole seconds: nothing from after the time is restored. */
function unixSeconds(at: Date): number {
  return Math.floor(at.getTime() / 1000);
}

import { z } from "zod";

/**
 * When a hook runs:
 * - `before-users`: the release is deployed and tested, and has no users yet.
 * - `before-step`: before each step, the last of 100 % among them; after an approval.
 * - `after-step`: when the gates of a step have passed; that of 100 % at the end of the bake.
 * - `before-completion`: at the end of the bake, before the rollout is complete.
 * - `after-completion`, `after-rollback`: the end is reported to it. No user waits for it.
 */
export const HOOK_MOMENTS = [
  ...(["before-users", "before-step", "after-step", "before-completion"] as const),
  ...(["after-completion", "after-rollback"] as const),
] as const;

export type HookMoment = (typeof HOOK_MOMENTS)[number];

/** Moments at which the end is reported to a hook, which cannot change it. */
type EndMoment = Extract<HookMoment, "after-completion" | "after-rollback">;

/** Seconds of a hook: the default and the longest time. Without users to move, a hook must not keep the lease for long. */
export const HOOK_SECONDS = { fallback: 30, longest: 3600, longestAtEnd: 300 } as const;

/** Whether traffic to an address cannot be intercepted: https, or http to this machine. */
export function isSafeTransport(address: string): boolean {
  const { protocol, hostname } = URL.parse(address) ?? { protocol: "", hostname: "" };
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
}

function isEnd(when: HookMoment): when is EndMoment {
  return when === "after-completion" || when === "after-rollback";
}

/** A hook as the settings declare it. */
export const hookDefinition = z
  .strictObject({
    /** Name in events and in the history. */
    name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, "is not a name of lower-case letters, digits and hyphens"),
    when: z.enum(HOOK_MOMENTS, `is none of ${HOOK_MOMENTS.join(", ")}`),
    /** Receives a signed POST; 2xx passes. */
    url: z
      .string()
      .refine(isSafeTransport, "is not an https: address, or http: of this machine")
      .refine((url) => (URL.parse(url)?.username ?? "") === "", "carries a user name or password")
      .optional(),
    /** A program with its arguments; exit code 0 passes. No shell reads it. */
    command: z
      .array(z.string().regex(/^[^\0]+$/, "is empty or has a zero byte"))
      .min(1, "is empty")
      .optional(),
    /** Variables of this process that the program gets besides PATH, HOME and the like. */
    environment: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "is not a name of a variable")).default([]),
    timeoutSeconds: z
      .int("is not a whole number")
      .min(1, "is below 1 s")
      .max(HOOK_SECONDS.longest, `is above ${HOOK_SECONDS.longest} s`)
      .default(HOOK_SECONDS.fallback),
    /** `rollback`: the rollout stops and rolls back. `note`: it continues. */
    onFailure: z.enum(["rollback", "note"], "is neither rollback nor note").optional(),
  })
  .superRefine(({ when, url, command, environment, timeoutSeconds, onFailure }, context) => {
    const refuse = (path: string, message: string) => {
      context.addIssue({ code: "custom", path: [path], message });
    };
    if ((url === undefined) === (command === undefined)) refuse("url", "takes either url or command");
    if (url !== undefined && environment.length > 0) refuse("environment", "is for a command");
    if (!isEnd(when)) return;
    if (onFailure === "rollback") refuse("onFailure", `cannot be rollback: ${when} runs when the rollout has ended`);
    if (timeoutSeconds > HOOK_SECONDS.longestAtEnd)
      refuse("timeoutSeconds", `is above ${HOOK_SECONDS.longestAtEnd} s, and ${when} keeps the lease`);
  })
  .transform(({ onFailure, ...hook }) => ({
    ...hook,
    onFailure: onFailure ?? (isEnd(hook.when) ? ("note" as const) : ("rollback" as const)),
  }));

export type HookDefinition = Readonly<z.output<typeof hookDefinition>>;

/**
 * What a rollout's plan has of a hook. The address and the program stay in the settings: write access to the journal must not
 * choose what runs.
 */
export type PlannedHook = Pick<HookDefinition, "name" | "when" | "timeoutSeconds" | "onFailure">;

/** A run of a hook. */
export interface HookRun {
  /** Name of the hook. */
  readonly hook: string;
  readonly when: HookMoment;
  /** Identifier of the step that it belongs to: `shift-25`, `bake`; or the outcome that is reported. */
  readonly step: string;
  /** From 1. It grows if the process ended during the run: the hook runs again. */
  readonly attempt: number;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Absent while it runs, and if the rollout went on without it. */
  readonly end?: HookEnd;
}

/** How a run of a hook ended. */
export interface HookEnd {
  readonly outcome: "passed" | "failed";
  readonly why: HookReason;
  readonly seconds: number;
  /** HTTP status, or the program's exit code. */
  readonly status?: number;
  /** A part of what it answered or printed, in one line. */
  readonly answer?: string;
}

/** Why a hook passed or failed. */
export type HookReason =
  /** passed: HTTP 2xx, or exit code 0. */
  | "accepted"
  /** failed: HTTP 4xx, another exit code, or a signal. */
  | "refused"
  /** failed: HTTP 3xx, which is not followed. */
  | "redirected"
  /** failed: it neither passed nor was refused in its time. */
  | "timeout"
  /** failed: the program cannot be started. */
  | "not-started"
  /** failed: the settings of this machine have no hook of this name, or no key to sign with. */
  | "not-configured";

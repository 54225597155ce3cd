/**
 * What the program declares for its Supabase project, compared with what the project has:
 * - `compared`: the project was read. Without `ref`, it was not found because a call failed.
 * - `absent`: it does not exist yet; `up` makes it with these settings.
 * - `not-read`: no call was made, for `reason`.
 */
export type ProjectComparison =
  | {
      readonly outcome: "compared";
      readonly ref?: string;
      readonly settings: readonly ComparedSetting[];
      readonly failures: readonly FailedCall[];
    }
  | { readonly outcome: "absent" }
  | { readonly outcome: "not-read"; readonly reason: NotRead };

/**
 * Why a project was not read:
 * - `no-token`: no access token was given.
 * - `other-endpoint`: the stack names another API than the one that the token is for.
 */
export type NotRead = "no-token" | "other-endpoint";

/** Part of a project's settings. */
export type SettingSection = "api" | "auth" | "database" | "network" | "storage" | "pooler" | "branch" | "backups";

/** One setting, both values as text. */
export interface ComparedSetting {
  readonly section: SettingSection;
  /** As the Management API names it; parts of objects are joined by dots. */
  readonly key: string;
  readonly wanted: string;
  readonly actual: string;
  /** `hidden`: a secret, which the API does not return; or a value that is known only during `up`. */
  readonly state: "same" | "differs" | "hidden";
  /** What sets it: `up`, or Supabase's dashboard where the provider does not. */
  readonly setBy: "up" | "dashboard";
}

/** A call of the API without the expected answer. Its settings were not compared. */
export interface FailedCall {
  /** Method and path. */
  readonly call: string;
  readonly problem: string;
  readonly fix: string;
}

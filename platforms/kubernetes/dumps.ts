import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import type { DumpPlace } from "../../operations/dumps/job.ts";
import { accessTo, locate } from "../../operations/supabase/compare.ts";
import type { HostedProject } from "../../operations/supabase/pitr.ts";
import { wantedProject, type WantedProject } from "../../operations/supabase/wanted.ts";
import { loadProgram } from "../../synth/lazy.ts";
import type { DeclaredStack } from "../declared.ts";
import { clusterOf } from "./rollout.ts";

/** Where the dumps of a stack's hosted database are. */
export function dumpPlace({ name, settings }: DeclaredStack): DumpPlace {
  return { stack: name, instance: settings.instance, cluster: clusterOf(settings) };
}

/** The Supabase project of a stack. @throws UserError without credentials, or if it does not exist */
export async function hostedProject({ name, source }: DeclaredStack): Promise<HostedProject> {
  const { capture } = await loadProgram();
  const wanted: Partial<WantedProject> = wantedProject(await capture(name, source)) ?? {};
  const { SUPABASE_ACCESS_TOKEN, SUPABASE_API_ENDPOINT } = process.env;
  const access = accessTo(wanted, { SUPABASE_ACCESS_TOKEN, SUPABASE_API_ENDPOINT });
  if (access === "no-token")
    throw new UserError(
      "invalid-setting",
      "SUPABASE_ACCESS_TOKEN",
      "is not set, and Supabase restores its projects itself",
      "make an access token at https://supabase.com/dashboard/account/tokens and set it in the environment",
    );
  if (access === "other-endpoint")
    throw new UserError(
      "invalid-setting",
      "exai:supabaseEndpoint",
      "is not the API of the environment, so the token is not sent to it",
      "set SUPABASE_API_ENDPOINT to the same URL",
    );
  const [ref] = await locate(wanted.place, access);
  if (ref === undefined)
    throw new UserError("not-found", `stack ${name}`, "has no Supabase project yet", fix`${command(`up ${name}`)}`);
  return { stack: name, ref, access };
}

import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { BranchApi } from "../../operations/branches/hosted/api.ts";
import { ClusterRecords } from "../../operations/branches/hosted/cluster-records.ts";
import { HostedBranchHost } from "../../operations/branches/hosted/host.ts";
import type { Branches } from "../../operations/branches/lifecycle.ts";
import { BranchStore } from "../../operations/branches/store.ts";
import { lockWaitOf } from "../../operations/migrations/locks.ts";
import { BRANCHES_LEASE, KubernetesLeaseStore } from "../../operations/rollout/kubernetes/lease.ts";
import { accessTo, locate } from "../../operations/supabase/compare.ts";
import type { HostedProject } from "../../operations/supabase/pitr.ts";
import { wantedProject, type ProjectPlace, type WantedProject } from "../../operations/supabase/wanted.ts";
import { loadProgram } from "../../synth/lazy.ts";
import type { DeclaredStack } from "../declared.ts";
import { verifiedDatabase, verifierOf } from "./database-url.ts";
import { clusterOf } from "./rollout.ts";

/** The Supabase project of a stack. @throws UserError without credentials, or if it does not exist */
export async function hostedProject(declared: DeclaredStack): Promise<HostedProject> {
  const { ref, access } = await locatedProject(declared);
  return { stack: declared.name, ref, access };
}

/** The branches of a stack's database, which Supabase hosts. @throws UserError as {@link hostedProject} does */
export async function hostedBranches(declared: DeclaredStack, signal: AbortSignal): Promise<Branches> {
  const { name: stack, settings } = declared;
  const { ref, access, place } = await locatedProject(declared);
  const [main, verify] = await Promise.all([verifiedDatabase(declared), verifierOf(declared)]);
  // Supabase makes branches of a production project alone.
  const mainIsBranch = place?.kind === "branch";
  const cluster = clusterOf(settings);
  const api = new BranchApi(mainIsBranch ? place.parent : ref, { ...access, signal });
  return {
    stack,
    store: new BranchStore(new ClusterRecords(cluster), stack),
    host: new HostedBranchHost({ stack, api, main, mainIsBranch, verify, signal }),
    leases: new KubernetesLeaseStore(cluster, { name: BRANCHES_LEASE }),
    main,
    locks: lockWaitOf(settings),
  };
}

interface LocatedProject extends Pick<HostedProject, "ref" | "access"> {
  readonly place: ProjectPlace | undefined;
}

async function locatedProject({ name, source }: DeclaredStack): Promise<LocatedProject> {
  const { capture } = await loadProgram();
  const wanted: Partial<WantedProject> = wantedProject(await capture(name, source)) ?? {};
  const { SUPABASE_ACCESS_TOKEN, SUPABASE_API_ENDPOINT } = process.env;
  const access = accessTo(wanted, { SUPABASE_ACCESS_TOKEN, SUPABASE_API_ENDPOINT });
  if (access === "no-token")
    throw new UserError(
      "invalid-setting",
      "SUPABASE_ACCESS_TOKEN",
      "is not set, and this command asks Supabase's API",
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
  return { ref, access, place: wanted.place };
}

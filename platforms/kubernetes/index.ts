export { absentFromCluster } from "./absent.ts";
export { awaitGone, awaitSlots } from "./await-slots.ts";
export { dumpPlace } from "./dumps.ts";
export { hostedBranches, hostedProject } from "./supabase-project.ts";
export { clusterLogs } from "./logs.ts";
export { clusterStatus } from "./status.ts";
export { clusterGuard } from "./release-guard.ts";
export { reachCluster } from "./reach.ts";
export { clusterAudit, openKubernetesRollout } from "./rollout.ts";

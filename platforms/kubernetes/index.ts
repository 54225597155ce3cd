export { awaitSlots } from "./await-slots.ts";
export { clusterGuard } from "./release-guard.ts";
export { openKubernetesRollout } from "./rollout.ts";

import { readdirSync, readFileSync } from "node:fs";
import type { Pod } from "../../../operations/rollout/kubernetes/api-types.ts";

/**
 * The processes of a pod's container, by the control group that carries its identifier.
 *
 * @returns none where the node is another machine than this one
 */
export function processesOf(pod: Pod | undefined, container: string): readonly number[] {
  const status = pod?.status?.containerStatuses?.find(({ name }) => name === container);
  const id = status?.containerID?.replace(/^.*:\/\//, "");
  if (id === undefined) throw new Error(`${pod?.metadata?.name ?? "no pod"} has no container ${container} that runs`);
  return readdirSync("/proc").flatMap((name) => (groupsOf(name).includes(id) ? [Number(name)] : []));
}

/** `kill -9`: no grace time and no hook, as when the kernel is out of memory. The kubelet starts the container again. */
export function killProcesses(processes: readonly number[]): void {
  for (const pid of processes) process.kill(pid, "SIGKILL");
}

/** Control groups of a process; none if it has ended or does not exist. */
function groupsOf(pid: string): string {
  try {
    return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cgroup`, "utf8") : "";
  } catch {
    return "";
  }
}

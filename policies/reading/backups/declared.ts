import type { Resource } from "../../../contract/graph.ts";

/** Whether a resource declares a backup schedule. */
export function isSchedule(resource: Resource): boolean {
  return resource.type === "exai:backups:BackupSchedule";
}

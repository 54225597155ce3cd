import type { Resource } from "../../../contract/graph.ts";
import { Reader } from "../../model/reader.ts";
import { isFor } from "../../reading/containers.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";

/** Deleting a stack does not delete data. */
export const protectedData: ResourceRule = {
  name: "protected-data",
  title: "Resources that hold data are protected against deletion",
  levelIn: { staging: "advisory" },
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation:
    "Supabase projects and branches, volume claims, buckets and, on Docker, the volumes of PostgreSQL and of the object store for data and backups have `protect: true`. Removing the protection is a separate, reviewed step.",
  references: [
    { standard: "Pulumi", item: "resource option protect" },
    { standard: "NIST SP 800-53", item: "CP-9" },
  ],
  // With an existing project, and dumps outside of the cluster, the stack has no data to delete.
  notApplicable: ({ graph }) =>
    graph.resources.some(({ type }) => type === "supabase:index/settings:Settings")
      ? "the database is a Supabase project that this stack did not create"
      : undefined,
  concerns: holdsData,
  *check(subject) {
    yield judge(
      subject,
      "",
      subject.resource.options.protect,
      "it holds data and is not protected against deletion",
      "set protect: true",
    );
  },
};

/** Whether a resource holds data that its deletion would delete. */
export function holdsData(resource: Resource): boolean {
  if (
    /^(supabase:index\/(project:Project|branch:Branch)|kubernetes:core\/v1:PersistentVolumeClaim|aws:s3\/.*:Bucket(V2)?|gcp:storage\/bucket:Bucket)$/.test(
      resource.type,
    )
  )
    return true;
  if (resource.type !== "docker:index/volume:Volume") return false;
  if (!/(^|-)(data|backups?)$/.test(resource.name)) return false;
  // A volume whose labels are unknown may belong to one of them.
  return ["postgres", "object-store"].some((component) => isFor(Reader.of(resource.inputs), component) !== false);
}

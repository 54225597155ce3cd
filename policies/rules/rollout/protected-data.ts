import type { Resource } from "../../../contract/graph.ts";
import { Reader } from "../../model/reader.ts";
import { isFor } from "../../reading/containers.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";

/** Data does not go with a stack. */
export const protectedData: ResourceRule = {
  name: "protected-data",
  title: "What holds data is protected against deletion",
  levelIn: { staging: "advisory" },
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation:
    "`protect: true` on Supabase projects and branches, volume claims, buckets and, on Docker, the volumes of PostgreSQL whose names say data or backups. Taking it off is a step of its own, which somebody reviews.",
  references: [
    { standard: "Pulumi", item: "resource option protect" },
    { standard: "NIST SP 800-53", item: "CP-9" },
  ],
  // An existing project, with the dumps outside of the cluster: nothing that this stack could delete.
  notApplicable: ({ graph }) =>
    graph.resources.some(({ type }) => type === "supabase:index/settings:Settings")
      ? "the database is a Supabase project that this stack has not made"
      : undefined,
  concerns: holdsData,
  *check(subject) {
    yield judge(subject, "", subject.resource.options.protect, "it holds data and may be deleted", "set protect: true");
  },
};

function holdsData(resource: Resource): boolean {
  if (
    /^(supabase:index\/(project:Project|branch:Branch)|kubernetes:core\/v1:PersistentVolumeClaim|aws:s3\/.*:Bucket(V2)?|gcp:storage\/bucket:Bucket)$/.test(
      resource.type,
    )
  )
    return true;
  if (resource.type !== "docker:index/volume:Volume") return false;
  // One whose labels are not known yet may be PostgreSQL's.
  return isFor(Reader.of(resource.inputs), "postgres") !== false && /(^|-)(data|backups?)$/.test(resource.name);
}

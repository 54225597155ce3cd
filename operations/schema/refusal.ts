import { UserError } from "../../contract/errors.ts";
import { command, fix, Fix } from "../../contract/fix.ts";
import { migrationLabel } from "../../contract/sql/files.ts";
import type { SchemaMigration } from "./state.ts";
import type { Release, SchemaNote, SchemaRefusal } from "./decide.ts";

/** The error of an operation that the schema does not allow. */
export function schemaError(refusal: SchemaRefusal): UserError {
  return new UserError("state-conflict", "schema", problemOf(refusal), fixOf(refusal));
}

/** A note as a sentence. */
export function schemaNoteText(note: SchemaNote): string {
  if (note.reason === "migration-edited") return editedText(note.migrations);
  return note.reason === "range-undeclared"
    ? `${undeclared(note.release)}, so it is not compared with the schema`
    : `${note.release.image} does not declare which schema it works with; the newest contract migration is ${migrationLabel(note.contract)}`;
}

function problemOf(refusal: SchemaRefusal): string {
  switch (refusal.reason) {
    case "migration-edited":
      return editedText(refusal.migrations);
    case "out-of-order":
      return `${labels(refusal.migrations)} ${refusal.migrations.length === 1 ? "is" : "are"} older than ${refusal.newest}, which is applied; a new database applies them in another order`;
    case "range-undeclared":
      return undeclared(refusal.release);
    case "migration-missing":
    case "contract-pending":
      return `${refusal.release.image} requires schema ${refusal.needs} or later, and the schema would be ${refusal.level}`;
    case "contract-applied":
      return `${refusal.release.image} supports the schema up to ${refusal.release.range?.max ?? ""}, and the contract migration ${migrationLabel(refusal.contract)} removes what it may need`;
    case "rollback-schema-behind":
      return `${within(refusal.release)} requires schema ${refusal.needs} or later, and the schema is ${refusal.level}${kept(refusal)}`;
    case "rollback-contract-applied":
      return `the schema has moved past ${within(refusal.release)}, which supports it up to ${refusal.release.range?.max ?? ""}: ${migrationLabel(refusal.contract)} removed what it may need${kept(refusal)}`;
    case "standby-warm":
      return `${migrationLabel(refusal.contract)} is a contract migration, and ${within(refusal.release)} is warm and may still need the old schema`;
    case "rollout-under-way":
      return `${migrationLabel(refusal.contract)} is a contract migration, and a rollout is in "${refusal.state}"${refusal.release === undefined ? "" : `: ${within(refusal.release)} may still need the old schema`}`;
    case "contract-unsupported":
      return `${migrationLabel(refusal.contract)} is a contract migration, and ${within(refusal.release)}, which serves users, supports the schema up to ${refusal.release.range?.max ?? ""}`;
  }
}

function fixOf(refusal: SchemaRefusal): Fix {
  const finish = command("rollout finish");
  const apply = command("migrate apply");
  switch (refusal.reason) {
    case "migration-edited": {
      const [first] = refusal.migrations;
      const file = first === undefined ? "" : `supabase/migrations/${migrationLabel(first)}.sql`;
      return fix`restore the file (git log -p -- ${file}) and put the change into a new one (npx supabase migration new <name>); if both have the same effect: npx supabase migration repair --status applied ${first?.version ?? ""} --db-url <url>`;
    }
    case "out-of-order":
      return fix`give the file a current version (git mv); or, if the order has no effect: ${command("migrate apply --out-of-order")}`;
    case "range-undeclared":
      return fix`build the image with the labels, or set exai:blueSchema or exai:greenSchema, or set exai:unlabelledReleases to warn`;
    case "migration-missing":
      return fix`git pull: supabase/migrations lacks migration ${refusal.needs}; or release an image that requires at most ${refusal.level}`;
    case "contract-pending":
      return fix`${apply}, which applies the contract migration ${migrationLabel(refusal.contract)} before it; then start the cutover again`;
    case "contract-applied":
      return fix`${command("cutover --image IMAGE")} with an image whose exai.schema.max is at least ${refusal.contract.version}`;
    case "rollback-schema-behind":
      return fix`${apply}, then ${command("rollback")}`;
    case "rollback-contract-applied":
      return fix`${command("cutover --image IMAGE")} with an image whose exai.schema.max is at least ${refusal.contract.version}; if the old release is known to work: ${command("rollback --accept-schema")}`;
    case "standby-warm":
      return orExpand(
        fix`${finish}, which ends the option to roll back to ${refusal.release.slot}; then ${apply}`,
        refusal,
      );
    case "rollout-under-way":
      return orExpand(fix`${command("rollout status --watch")} until it ends, ${finish}, then ${apply}`, refusal);
    case "contract-unsupported":
      return orExpand(
        fix`${command("cutover --image IMAGE")} with an image whose exai.schema.max is at least ${refusal.needs}, ${finish}, then ${apply}`,
        refusal,
      );
  }
}

function labels(migrations: readonly SchemaMigration[]): string {
  return migrations.map(migrationLabel).join(", ");
}

function editedText(migrations: readonly SchemaMigration[]): string {
  return `${labels(migrations)} ${migrations.length === 1 ? "was" : "were"} changed after ${migrations.length === 1 ? "it was" : "they were"} applied: the database does not have the present text`;
}

function undeclared({ image }: Release): string {
  return `${image} does not declare which schema it works with (labels exai.schema.min and exai.schema.max)`;
}

function within({ image, slot }: Release): string {
  return `${image} in ${slot}`;
}

function kept({ users }: { readonly users?: string }): string {
  return users === undefined ? "" : `; ${users} keeps the users`;
}

function orExpand(all: Fix, { expandable }: { readonly expandable: boolean }): Fix {
  if (!expandable) return all;
  return new Fix([...all.parts, "; only the expand migrations before it: ", command("migrate apply --expand")]);
}

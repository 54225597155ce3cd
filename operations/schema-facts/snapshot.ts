import { UserError } from "../../contract/errors.ts";
import type { Fix } from "../../contract/fix.ts";
import { loadPgDelta } from "./pg-delta.ts";
import { schemaFacts, type SchemaFacts } from "./read.ts";

/** Facts as the text of a file. */
export async function serializeFacts({ all, serverVersion }: SchemaFacts): Promise<string> {
  const { serializeSnapshot } = await loadPgDelta();
  return serializeSnapshot(all, { pgVersion: serverVersion, profile: "supabase" });
}

/** The facts of a file. @throws UserError `invalid-file` if the text is damaged */
export async function parseFacts(text: string, where: string, fix: string | Fix): Promise<SchemaFacts> {
  const { deserializeSnapshot } = await loadPgDelta();
  try {
    const { factBase, pgVersion } = deserializeSnapshot(text);
    return await schemaFacts(factBase, pgVersion);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError("invalid-file", where, `is not a schema: ${reason}`, fix, { cause });
  }
}

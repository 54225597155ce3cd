import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Finding } from "./evaluate.ts";
import { parseExceptions, type Lined } from "./exceptions-file.ts";

/** The file of the declared kinds, relative to the project's root. */
export const KINDS_FILE = "policies/kinds.yaml";

/** The rule whose findings the file answers. */
export const UNKNOWN_KIND = "unknown-kind";

const entry = z.strictObject({
  type: z
    .string()
    .regex(/^[^\s:*]+:[^\s:*]+:[^\s:*]+$/, "must be a type token, e.g. kubernetes:helm.sh/v3:Release")
    .meta({ description: "Type of the resources, e.g. kubernetes:helm.sh/v3:Release" }),
  stacks: z.array(z.string().min(1)).min(1).meta({ description: "Names of the stacks that declare such resources" }),
  reason: z
    .string()
    .min(20, { abort: true })
    .regex(/(\p{L}\S*\s+){2,}\p{L}/u, "must be at least three words")
    .meta({ description: "Why the stack needs the kind, and who checks what the rules cannot" }),
});

/** The schema of the file; `kinds.schema.json` is generated from it. */
export const kindsFile = z.strictObject({ kinds: z.array(entry) });

/** A kind of resource that rules do not understand, and that the project declares intentionally. */
export type Kind = Lined<z.infer<typeof entry>>;

/** Reads the project's declared kinds; none if there is no file. @throws UserErrors with every malformed entry */
export function readKinds(root: string): Kind[] {
  const path = join(root, KINDS_FILE);
  return existsSync(path) ? parseKinds(readFileSync(path, "utf8")) : [];
}

/** Parses the file. @throws UserErrors with the line of every malformed entry */
export function parseKinds(text: string): Kind[] {
  const seen = new Set<string>();
  return parseExceptions(text, {
    path: KINDS_FILE,
    schemaPath: "policies/model/kinds.schema.json",
    key: "kinds",
    schema: kindsFile,
    faultOf: ({ type }) => {
      if (seen.has(type)) return `names ${type} for the second time`;
      seen.add(type);
      return undefined;
    },
  });
}

/** Matches findings of {@link UNKNOWN_KIND} with declared kinds, and records which were used. */
export class Kinds {
  readonly #kinds: readonly Kind[];
  readonly #used = new Set<Kind>();

  constructor(kinds: readonly Kind[]) {
    this.#kinds = kinds;
  }

  /** The entry that declares the kind of a finding's resource. */
  match(finding: Finding, stack: string): Kind | undefined {
    if (finding.policy !== UNKNOWN_KIND) return undefined;
    const found = this.#kinds.find(
      ({ type, stacks }) => type === finding.place.resource?.type && stacks.includes(stack),
    );
    if (found !== undefined) this.#used.add(found);
    return found;
  }

  /** Findings about unused entries; call it after all findings of the stack were matched. */
  findings(stack: string): Finding[] {
    return this.#kinds
      .filter((kind) => kind.stacks.includes(stack) && !this.#used.has(kind))
      .map(({ type, line }) => ({
        policy: UNKNOWN_KIND,
        level: "mandatory",
        place: { object: type, path: "", source: { file: KINDS_FILE, line } },
        message: `stack ${stack} has no resource that needs the entry`,
        fix: `remove ${stack} from its stacks, or the entry`,
      }));
  }
}

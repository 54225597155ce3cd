import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Finding } from "./evaluate.ts";
import { parseExceptions, type Lined } from "./exceptions-file.ts";

/** The file of the waivers, relative to the project's root. */
export const WAIVERS_FILE = "policies/waivers.yaml";

/** Days that a waiver may last from today. */
export const LONGEST_DAYS = 90;

const DAY = 86_400_000;

const entry = z
  .strictObject({
    policy: z.string().min(1).meta({ description: "Name of the rule" }),
    stack: z.string().min(1).meta({ description: "Name of the stack" }),
    resource: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "Name of the resource, or of the table, policy or function" }),
    type: z.string().regex(/\S/).optional().meta({
      description:
        "Type of the resource, e.g. docker:index/container:Container; absent for a table, policy or function",
    }),
    component: z
      .string()
      .regex(/^exai:[a-z]+:[A-Za-z]+$/)
      .optional()
      .meta({
        description: "Type of the component whose resources are excepted, e.g. exai:monitoring:KubernetesMonitoring",
      }),
    reason: z
      .string()
      .min(20, { abort: true })
      .regex(/(\p{L}\S*\s+){2,}\p{L}/u, "must be at least three words")
      .meta({ description: "Why the exception is needed, and when the cause ends" }),
    owner: z
      .string()
      .regex(/\p{L}\S/u, "must be a name")
      .meta({ description: "Who is responsible for it" }),
    expires: z
      .string()
      .regex(/^\d{4}-\d{2}-\d{2}$/)
      .meta({ description: `Last day on which it is valid, at most ${LONGEST_DAYS} days from today` }),
  })
  .refine(
    (waiver) => (waiver.resource === undefined) !== (waiver.component === undefined),
    "must name either a resource or a component",
  )
  .refine(
    (waiver) => waiver.type === undefined || waiver.resource !== undefined,
    "has a type, which belongs to a resource",
  );

/** The schema of the file; `waivers.schema.json` is generated from it. */
export const waiversFile = z.strictObject({ waivers: z.array(entry) });

/** An exception from a rule, with an owner and an end. */
export type Waiver = Lined<z.infer<typeof entry>>;

/** Reads the project's waivers; none if there is no file. @throws UserErrors with every malformed entry */
export function readWaivers(root: string, policies: readonly string[], now: Date): Waiver[] {
  const path = join(root, WAIVERS_FILE);
  return existsSync(path) ? parseWaivers(readFileSync(path, "utf8"), policies, now) : [];
}

/**
 * Parses the file of the waivers. One malformed entry makes the whole file invalid.
 *
 * @throws UserErrors with the line of every malformed entry
 */
export function parseWaivers(text: string, policies: readonly string[], now: Date): Waiver[] {
  return parseExceptions(text, {
    path: WAIVERS_FILE,
    schemaPath: "policies/model/waivers.schema.json",
    key: "waivers",
    schema: waiversFile,
    faultOf: (waiver) => {
      const end = Date.parse(`${waiver.expires}T00:00:00Z`);
      if (!policies.includes(waiver.policy)) return `there is no rule ${waiver.policy}`;
      if (Number.isNaN(end) || new Date(end).toISOString().slice(0, 10) !== waiver.expires)
        return `${waiver.expires} is not a valid date`;
      return end > now.getTime() + LONGEST_DAYS * DAY
        ? `it expires more than ${LONGEST_DAYS} days from today`
        : undefined;
    },
  });
}

/** Matches findings with waivers, and records which waivers were used. All lanes use it. */
export class Waivers {
  readonly #waivers: readonly Waiver[];
  readonly #today: string;
  readonly #used = new Set<Waiver>();

  constructor(waivers: readonly Waiver[], now: Date) {
    this.#waivers = waivers;
    this.#today = now.toISOString().slice(0, 10);
  }

  /** The waiver that excepts a finding, if there is one that has not expired. */
  match(finding: Finding, stack: string): Waiver | undefined {
    const found = this.#waivers.find(
      (waiver) =>
        waiver.policy === finding.policy &&
        waiver.stack === stack &&
        !this.#isOver(waiver) &&
        concerns(waiver, finding),
    );
    if (found !== undefined) this.#used.add(found);
    return found;
  }

  /** Findings about expired and unused waivers; call it after all findings of the stack were matched. */
  findings(stack: string): Finding[] {
    return this.#waivers
      .filter((waiver) => waiver.stack === stack && (this.#isOver(waiver) || !this.#used.has(waiver)))
      .map((waiver) => ({
        policy: "waivers",
        level: "mandatory",
        place: {
          object: `waiver of ${waiver.policy} for ${waiver.resource ?? waiver.component ?? ""}`,
          path: "",
          source: { file: WAIVERS_FILE, line: waiver.line },
        },
        message: this.#isOver(waiver) ? `it expired after ${waiver.expires}` : "no finding needs it",
        fix: this.#isOver(waiver) ? "fix the violation, or renew the waiver" : "remove it",
      }));
  }

  #isOver(waiver: Waiver): boolean {
    return waiver.expires < this.#today;
  }
}

function concerns(waiver: Waiver, finding: Finding): boolean {
  const { resource, object } = finding.place;
  // Resources of several types may have one name.
  if (waiver.resource !== undefined)
    return waiver.resource === (resource?.name ?? object) && waiver.type === resource?.type;
  // A resource's URN contains the types of all its parents: `urn:pulumi:stack::project::parent$child::name`.
  return (
    resource?.urn
      .split("::")[2]
      ?.split("$")
      .includes(waiver.component ?? "") ?? false
  );
}

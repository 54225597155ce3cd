import { UserError } from "../../contract/errors.ts";
import { fix, type Fix } from "../../contract/fix.ts";
import type { SchemaFacts } from "../schema-facts/read.ts";
import { parseFacts, serializeFacts } from "../schema-facts/snapshot.ts";
import { stackCommand, type BranchRecord, type MergeRecord } from "./model.ts";
import type { BranchRecords } from "./records.ts";

/**
 * What is known about the branches of a stack, as records: `<name>.json`, and `<name>.base.json` with the facts of main's schema
 * at the moment that the branch shows. A merge compares main and the branch with them. `<name>.merge*.json` are its last merge, which
 * outlives the branch.
 */
export class BranchStore {
  readonly #records: BranchRecords;
  /** Absent for `local`. */
  readonly stack?: string;

  constructor(records: BranchRecords, stack?: string) {
    this.#records = records;
    if (stack !== undefined) this.stack = stack;
  }

  async list(): Promise<readonly BranchRecord[]> {
    const found = await Promise.all((await this.#names()).map((name) => this.find(name)));
    return found.filter((record) => record !== undefined);
  }

  /** @throws UserError `not-found` */
  async get(name: string): Promise<BranchRecord> {
    const record = await this.find(name);
    if (record !== undefined) return record;
    const known = await this.#names();
    throw new UserError(
      "not-found",
      `branch ${name}`,
      known.length === 0 ? "does not exist, and there is no other" : `does not exist; there are ${known.join(", ")}`,
      fix`${stackCommand(this, "branch list")}`,
    );
  }

  /** @throws UserError `invalid-file` if it cannot be read */
  async find(name: string): Promise<BranchRecord | undefined> {
    const text = await this.#records.read(recordName(name));
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as BranchRecord;
    } catch (cause) {
      throw new UserError(
        "invalid-file",
        this.#records.placeOf(recordName(name)),
        "cannot be read",
        fix`${stackCommand(this, `branch delete ${name}`)}`,
        { cause },
      );
    }
  }

  async has(name: string): Promise<boolean> {
    return (await this.#records.read(recordName(name))) !== undefined;
  }

  async put(record: BranchRecord): Promise<void> {
    await this.#records.write(recordName(record.name), `${JSON.stringify(record, null, 2)}\n`);
  }

  async putBase(name: string, facts: SchemaFacts): Promise<void> {
    await this.#records.write(baseName(name), await serializeFacts(facts));
  }

  /** The schema that the branch began with. @throws UserError `invalid-file` if it cannot be read */
  async base(name: string): Promise<SchemaFacts> {
    const remedy = fix`${stackCommand(this, `branch reset ${name}`)}`;
    return this.#snapshot(baseName(name), "the schema that the branch began with is not known", remedy);
  }

  /** Records the last merge of a branch: the record at last, so that it has its facts. */
  async putMerge(record: MergeRecord, facts: Readonly<Record<MergeFacts, SchemaFacts>>): Promise<void> {
    for (const part of MERGE_FACTS)
      await this.#records.write(mergeName(record.name, part), await serializeFacts(facts[part]));
    await this.putMergeRecord(record);
  }

  async putMergeRecord(record: MergeRecord): Promise<void> {
    await this.#records.write(mergeName(record.name), `${JSON.stringify(record, null, 2)}\n`);
  }

  /** The last merge of a branch. @throws UserError `not-found` */
  async merge(name: string): Promise<MergeRecord> {
    const text = await this.#records.read(mergeName(name));
    if (text !== undefined) return JSON.parse(text) as MergeRecord;
    const remedy = fix`${stackCommand(this, `branch merge ${name}`)}`;
    throw new UserError("not-found", `branch ${name}`, "has not been merged", remedy);
  }

  /** The schemas of the last merge. @throws UserError `invalid-file` if one cannot be read */
  async mergeFacts(name: string): Promise<Readonly<Record<MergeFacts, SchemaFacts>>> {
    const read = async (part: MergeFacts) =>
      this.#snapshot(
        mergeName(name, part),
        "the schema of the merge is not known",
        "write a migration that removes what the merge made",
      );
    const [base, before, after] = await Promise.all([read("base"), read("before"), read("after")]);
    return { base, before, after };
  }

  async remove(name: string): Promise<void> {
    await this.#records.remove(baseName(name));
    await this.#records.remove(recordName(name));
  }

  async #names(): Promise<readonly string[]> {
    return (await this.#records.names()).flatMap((file) => /^([a-z][a-z0-9-]*)\.json$/.exec(file)?.[1] ?? []).sort();
  }

  async #snapshot(record: string, missing: string, remedy: string | Fix): Promise<SchemaFacts> {
    const place = this.#records.placeOf(record);
    const text = await this.#records.read(record);
    if (text === undefined) throw new UserError("invalid-file", place, `is missing: ${missing}`, remedy);
    return parseFacts(text, place, remedy);
  }
}

/** Schemas of a merge: the branch's base before it, and main's before and after it. */
type MergeFacts = "base" | "before" | "after";

const MERGE_FACTS: readonly MergeFacts[] = ["base", "before", "after"];

const recordName = (name: string) => `${name}.json`;
const baseName = (name: string) => `${name}.base.json`;
const mergeName = (name: string, part?: MergeFacts) => `${name}.merge${part === undefined ? "" : `.${part}`}.json`;

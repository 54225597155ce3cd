import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { fix, type Fix } from "../../contract/fix.ts";
import { errorCode, writeDurably } from "../rollout/host/durable-files.ts";
import type { SchemaFacts } from "../schema-facts/read.ts";
import { parseFacts, serializeFacts } from "../schema-facts/snapshot.ts";
import { stackCommand, type BranchRecord, type MergeRecord } from "./model.ts";

/**
 * What is known about the branches of a stack, as files: `<name>.json`, and `<name>.base.json` with the facts of main's schema
 * at the moment that the branch shows. A merge compares main and the branch with them. `<name>.merge*.json` are its last merge, which
 * outlives the branch.
 */
export class BranchStore {
  readonly folder: string;
  /** Absent for `local`. */
  readonly stack?: string;

  constructor(folder: string, stack?: string) {
    this.folder = folder;
    if (stack !== undefined) this.stack = stack;
  }

  list(): readonly BranchRecord[] {
    return this.#names().map((name) => this.#read(name));
  }

  /** @throws UserError `not-found` */
  get(name: string): BranchRecord {
    if (this.has(name)) return this.#read(name);
    const known = this.#names();
    throw new UserError(
      "not-found",
      `branch ${name}`,
      known.length === 0 ? "does not exist, and there is no other" : `does not exist; there are ${known.join(", ")}`,
      fix`${stackCommand(this, "branch list")}`,
    );
  }

  has(name: string): boolean {
    return existsSync(this.#path(name));
  }

  put(record: BranchRecord): void {
    mkdirSync(this.folder, { recursive: true });
    writeDurably(this.#path(record.name), `${JSON.stringify(record, null, 2)}\n`, 0o600);
  }

  async putBase(name: string, facts: SchemaFacts): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    writeDurably(this.#basePath(name), await serializeFacts(facts), 0o600);
  }

  /** The schema that the branch began with. @throws UserError `invalid-file` if it cannot be read */
  async base(name: string): Promise<SchemaFacts> {
    const remedy = fix`${stackCommand(this, `branch reset ${name}`)}`;
    return readSnapshot(this.#basePath(name), "the schema that the branch began with is not known", remedy);
  }

  /** Records the last merge of a branch: the record at last, so that it has its facts. */
  async putMerge(record: MergeRecord, facts: Readonly<Record<MergeFacts, SchemaFacts>>): Promise<void> {
    for (const part of MERGE_FACTS)
      writeDurably(this.#mergePath(record.name, part), await serializeFacts(facts[part]), 0o600);
    this.putMergeRecord(record);
  }

  putMergeRecord(record: MergeRecord): void {
    writeDurably(this.#mergePath(record.name), `${JSON.stringify(record, null, 2)}\n`, 0o600);
  }

  /** The last merge of a branch. @throws UserError `not-found` */
  merge(name: string): MergeRecord {
    const path = this.#mergePath(name);
    if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as MergeRecord;
    throw new UserError(
      "not-found",
      `branch ${name}`,
      "has not been merged",
      fix`${stackCommand(this, `branch merge ${name}`)}`,
    );
  }

  /** The schemas of the last merge. @throws UserError `invalid-file` if one cannot be read */
  async mergeFacts(name: string): Promise<Readonly<Record<MergeFacts, SchemaFacts>>> {
    const read = async (part: MergeFacts) =>
      readSnapshot(
        this.#mergePath(name, part),
        "the schema of the merge is not known",
        "write a migration that removes what the merge made",
      );
    const [base, before, after] = await Promise.all([read("base"), read("before"), read("after")]);
    return { base, before, after };
  }

  remove(name: string): void {
    rmSync(this.#basePath(name), { force: true });
    rmSync(this.#path(name), { force: true });
  }

  #names(): readonly string[] {
    if (!existsSync(this.folder)) return [];
    return readdirSync(this.folder)
      .flatMap((file) => /^([a-z][a-z0-9-]*)\.json$/.exec(file)?.[1] ?? [])
      .sort();
  }

  #read(name: string): BranchRecord {
    try {
      return JSON.parse(readFileSync(this.#path(name), "utf8")) as BranchRecord;
    } catch (cause) {
      throw new UserError(
        "invalid-file",
        this.#path(name),
        "cannot be read",
        fix`${stackCommand(this, `branch delete ${name}`)}`,
        { cause },
      );
    }
  }

  #path(name: string): string {
    return join(this.folder, `${name}.json`);
  }

  #basePath(name: string): string {
    return join(this.folder, `${name}.base.json`);
  }

  #mergePath(name: string, part?: MergeFacts): string {
    return join(this.folder, `${name}.merge${part === undefined ? "" : `.${part}`}.json`);
  }
}

/** Schemas of a merge: the branch's base before it, and main's before and after it. */
type MergeFacts = "base" | "before" | "after";

const MERGE_FACTS: readonly MergeFacts[] = ["base", "before", "after"];

async function readSnapshot(path: string, missing: string, remedy: string | Fix): Promise<SchemaFacts> {
  try {
    return await parseFacts(readFileSync(path, "utf8"), path, remedy);
  } catch (cause) {
    if (errorCode(cause) !== "ENOENT" || cause instanceof UserError) throw cause;
    throw new UserError("invalid-file", path, `is missing: ${missing}`, remedy, { cause });
  }
}

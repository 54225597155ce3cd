import { readFileSync, rmSync } from "node:fs";
import { z } from "zod";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { errorCode, writeDurably } from "../rollout/host/durable-files.ts";

const TARGET = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("latest") }),
  z.object({ kind: z.literal("time"), at: z.coerce.date() }),
  z.object({ kind: z.literal("lsn"), lsn: z.string() }),
  z.object({ kind: z.literal("backup"), label: z.string() }),
]);

const UNFINISHED = z.object({
  schema: z.literal(1),
  /** Part of the name of the directory that keeps the previous database. */
  id: z.string(),
  /**
   * How far it is:
   * - `closed`: the database is stopped, and its files are unchanged.
   * - `swap`: the restored files are proved, and take the place of the database.
   * - `backup`: the restored database serves, and has no backup yet.
   */
  phase: z.enum(["closed", "swap", "backup"]),
  target: TARGET,
  /** Label of the safety backup; null if there is none. */
  safety: z.string().nullable(),
  /** Whether all that the old database wrote is in the archive. */
  archived: z.boolean(),
  /** Whether there was a database. */
  replaces: z.boolean(),
  startedAt: z.coerce.date(),
});

/** A restore in place that has stopped the database, and has not ended. */
export type Unfinished = z.infer<typeof UNFINISHED>;

/** A target that can be aimed at again: a statement that was found is a position. */
export type FixedTarget = Unfinished["target"];

/** The file that says how far a restore in place is. Each change is flushed before the work that it names. */
export class UnfinishedRestore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws UserError if the file is damaged */
  read(): Unfinished | undefined {
    try {
      return UNFINISHED.parse(JSON.parse(readFileSync(this.#path, "utf8")));
    } catch (cause) {
      if (errorCode(cause) === "ENOENT") return undefined;
      throw new UserError(
        "invalid-file",
        this.#path,
        "cannot be read; it says how far a restore in place is",
        fix`look which of pgdata, pgdata.restored and pgdata.before-* the volume of the database has; remove the file when pgdata is right`,
        { cause },
      );
    }
  }

  write(state: Unfinished): void {
    writeDurably(this.#path, `${JSON.stringify(state, null, 2)}\n`, 0o600);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }

  /** @throws UserError while the database is not in its place */
  refuse(): void {
    const unfinished = this.read();
    if (unfinished === undefined || unfinished.phase === "backup") return;
    throw unfinishedError(unfinished);
  }
}

/** The error of a command that an unfinished restore does not allow. */
export function unfinishedError({ startedAt, phase }: Unfinished): UserError {
  return new UserError(
    "state-conflict",
    "restore in place",
    `one that began at ${startedAt.toISOString()} is unfinished: ${PROBLEMS[phase]}`,
    fix`complete it with ${command("restore resume")}, or go back with ${command("restore abort")}`,
  );
}

const PROBLEMS: Readonly<Record<Unfinished["phase"], string>> = {
  closed: "the database is stopped, and its files are unchanged",
  swap: "the database is stopped, and the restored files are taking its place",
  backup: "the restored database serves, and has no backup yet",
};

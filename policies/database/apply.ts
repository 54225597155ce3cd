import { batchesOf } from "../../contract/sql/batches.ts";
import { conditionsOf } from "../../contract/sql/conditions.ts";
import type { Body } from "../../contract/sql/ran.ts";
import type { SentStatement } from "../../contract/sql/split.ts";
import { parseStatements, SqlSyntaxError, type SqlStatement } from "../../contract/sql/statements.ts";
import type { SourcePosition } from "../../contract/graph.ts";
import type { Statement } from "./facts.ts";
import { identifier, messageOf, type Postgres, type Row, sqlState, USUAL_PATH } from "./postgres.ts";
import { ConditionalBlocks, type OpenCondition } from "./conditional-blocks.ts";
import { Removals } from "./removals.ts";
import { passwordsOf, refusalOf } from "./statement-facts.ts";

/** A SQL file of the project. */
export interface SqlFile {
  /** Relative to the project's root. */
  readonly file: string;
  readonly text: string;
}

/** What is known about applied migrations, in addition to the database. */
export interface Applied {
  readonly statements: readonly Statement[];
  /** The statement that wrote a row of the catalog, by the row's `xmin`. */
  readonly at: (xmin: string) => SourcePosition | undefined;
  /** Conditions that can have another answer on another server. */
  readonly conditions: readonly OpenCondition[];
}

/** What else happens to the database meanwhile. */
export interface Watch {
  /** Before each statement. */
  readonly statement?: (source: SourcePosition) => void;
  /** After each file. */
  readonly file?: () => Promise<void>;
  /** After a statement that creates or drops an extension. */
  readonly extensions?: () => Promise<void>;
}

/** SQLSTATE of what cannot run in a transaction. */
const NOT_IN_TRANSACTION = "25001";

/**
 * What a statement leaves: the identifier of the innermost transaction that wrote something, the extensions, the strong locks on relations
 * by OID, and whether the next statement has a lock time-out.
 */
const STATE = `select coalesce(max(transactionid::text::bigint) filter (where locktype = 'transactionid' and granted), 0)::text as id,
  (select string_agg(oid::text, ' ' order by oid) from pg_extension) as extensions,
  array_agg(relation::text || ' ' || mode) filter (where locktype = 'relation'
    and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')) as locks,
  current_setting('lock_timeout') <> '0' as limited
  from pg_locks where pid = pg_backend_pid()`;

/** {@link STATE} as a prepared statement: it follows each statement of the files, and planning it takes longer than running it. */
const PREPARED_STATE = "exai_plan_state";

/** Kinds of statements that can drop a prepared statement. */
const FORGETTING = ["DeallocateStmt", "DiscardStmt"];

const LIMITED = "select current_setting('lock_timeout') <> '0' as limited";

/**
 * Applies files as the Supabase CLI does: each in one transaction, unless it says otherwise ({@link batchesOf}). Each statement
 * has its own savepoint, so that the `xmin` of a row of the catalog identifies the statement that wrote it. A statement
 * that PostgreSQL rejects is left out, with its error, and the others are judged. Then each active job of pg_cron runs once: what
 * it does belongs to what the files do.
 *
 * @param answer what the conditions of DO blocks that ask for their surroundings get for an answer, and those that ask for an
 *   object if it is true. @default the answer of this database
 */
export async function apply(
  postgres: Postgres,
  migrations: readonly SqlFile[],
  answer?: boolean,
  watch: Watch = {},
): Promise<Applied> {
  const run = new Run(postgres, answer, watch);
  await run.begin();
  for (const { file, text } of migrations) {
    await run.file(file, text);
    await watch.file?.();
  }
  await run.jobs();
  return { statements: run.statements, at: (xmin) => run.at(xmin), conditions: run.conditions };
}

class Run {
  readonly #postgres: Postgres;
  readonly statements: Statement[] = [];
  /** First transaction identifiers of statements, rising. */
  readonly #starts: { readonly id: number; readonly source: SourcePosition }[] = [];
  /** The functions of the statements so far. */
  readonly #bodies = new Map<string, Body>();
  #file = "";
  #removals: Removals | undefined;
  /** Locks that earlier statements of the transaction hold. */
  #held = new Set<string>();
  /** Whether a transaction is open. */
  #open = false;
  /** Whether its next statement has a lock time-out; undefined if that is to be asked. */
  #limited: boolean | undefined;

  readonly #blocks: ConditionalBlocks;

  readonly #watch: Watch;
  #extensions: unknown;

  constructor(postgres: Postgres, answer: boolean | undefined, watch: Watch) {
    this.#postgres = postgres;
    this.#blocks = new ConditionalBlocks(postgres, answer);
    this.#watch = watch;
  }

  get conditions(): readonly OpenCondition[] {
    return this.#blocks.open;
  }

  at(xmin: string): SourcePosition | undefined {
    const id = Number(xmin);
    return this.#starts.findLast((start) => start.id <= id)?.source;
  }

  /** Notes what is there before the first statement. */
  async begin(): Promise<void> {
    await this.#prepare();
    const [state] = await this.#postgres.run(`execute ${PREPARED_STATE}`);
    this.#extensions = state?.extensions;
  }

  /** Prepares what is asked after each statement, unless it is prepared. */
  async #prepare(): Promise<void> {
    const [there] = await this.#postgres.run(
      `select exists (select from pg_prepared_statements where name = '${PREPARED_STATE}') as there`,
    );
    if (there?.there !== true) await this.#postgres.run(`prepare ${PREPARED_STATE} as ${STATE}`);
  }

  async file(file: string, text: string): Promise<void> {
    this.#file = file;
    await this.#postgres.run(USUAL_PATH);
    // A file may lock and drop what it creates: no release uses it yet.
    this.#removals = await Removals.before(this.#postgres, this.#bodies);
    for (const { mode, statements } of batchesOf(text)) {
      for (const [index, sent] of statements.entries()) {
        const parsed = await this.#parsed(sent);
        if (parsed === undefined) continue;
        if (mode === "alone") await this.#bare(parsed);
        else if (mode === "session") await this.#inSession(parsed);
        else await this.#inTransaction(parsed, index === 0);
      }
      if (mode === "transaction") await this.#end("commit");
    }
    if (this.#open) {
      this.#reject({ file, line: text.trimEnd().split("\n").length }, "commit", {
        message: "the file ends inside of a transaction, so the database keeps nothing of it",
      });
      await this.#end("rollback");
    }
    await this.#postgres.run("reset all");
    this.#limited = undefined;
  }

  /** Runs the commands of the active jobs of pg_cron, as their roles and at the places that schedule them. */
  async jobs(): Promise<void> {
    await this.#postgres.run(`reset session authorization; reset role; ${USUAL_PATH}`);
    const [there] = await this.#postgres.run("select to_regclass('cron.job') is not null as there");
    if (there?.there !== true) return;
    this.#removals = await Removals.before(this.#postgres, this.#bodies);
    const jobs = await this.#postgres.run(
      "select coalesce(jobname, jobid::text) as name, command, username, xmin::text as xmin from cron.job where active order by jobid",
    );
    for (const { name, command, username, xmin } of jobs) {
      const source = this.at(String(xmin));
      if (source === undefined) continue;
      this.#file = source.file;
      const fail = (error: unknown) =>
        this.#blocks.open.push({
          source,
          text: `the job ${String(name)}`,
          other: true,
          error: messageOf(error),
          fix: "correct the command of the job",
        });
      try {
        const statements = await parseStatements(String(command));
        await this.#postgres.run("begin");
        this.#open = true;
        await this.#postgres.run(`set local lock_timeout = '5s'; set local role ${identifier(String(username))}`);
        for (const statement of statements) {
          if ("VacuumStmt" in statement.node || "TransactionStmt" in statement.node) continue;
          const error = await this.#try({ ...statement, line: source.line });
          if (error !== undefined) throw error as Error;
        }
        await this.#end("commit");
      } catch (error) {
        fail(error);
        await this.#end("rollback");
      }
    }
  }

  /** The statement of a text that the CLI sends. Undefined without one: only comments, or an error, which is recorded. */
  async #parsed(sent: SentStatement): Promise<SqlStatement | undefined> {
    try {
      const [first, second] = await parseStatements(sent.text);
      if (first === undefined) return undefined;
      const statement = { ...first, line: sent.line + first.line - 1 };
      const refusal = refusalOf(statement);
      if (second === undefined && refusal === undefined) return statement;
      if (second === undefined) this.#reject(this.#place(statement), first.plain, { message: refusal });
      else
        this.#reject(this.#place(statement), first.plain, {
          message: "the Supabase CLI sends this and the next statement as one, which PostgreSQL refuses",
        });
    } catch (error) {
      if (!(error instanceof SqlSyntaxError)) throw error;
      const place = { file: this.#file, line: sent.line + error.line - 1 };
      this.#reject(place, sent.text.replaceAll(/\s+/g, " "), error);
    }
    return undefined;
  }

  #place({ line }: { readonly line: number }): SourcePosition {
    return { file: this.#file, line };
  }

  async #end(how: string): Promise<void> {
    if (this.#open)
      try {
        await this.#postgres.run(how);
      } catch (error) {
        // Deferred constraints are checked at the end.
        const last = this.statements.at(-1);
        if (last !== undefined) this.#reject(last.source, last.text, error);
      }
    this.#open = false;
    this.#limited = undefined;
    this.#held = new Set();
  }

  /** One of the statements that share the transaction of their file. */
  async #inTransaction(statement: SqlStatement, first: boolean): Promise<void> {
    if (!this.#open) await this.#postgres.run("begin");
    this.#open = true;
    const error = await this.#try(statement);
    if (error === undefined) return;
    // What cannot run in a transaction can run first in an implicit one, and commits at once.
    if (first && sqlState(error) === NOT_IN_TRANSACTION) {
      await this.#end("rollback");
      await this.#bare(statement);
    } else this.#reject(this.#place(statement), statement.plain, error);
  }

  /** A statement of a file that begins and ends its transactions itself. */
  async #inSession(statement: SqlStatement): Promise<void> {
    const { node } = statement;
    if ("TransactionStmt" in node) {
      const kind = node.TransactionStmt.kind ?? "";
      this.#limited = undefined;
      const error = await this.#postgres.run(statement.text).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error !== undefined) this.#reject(this.#place(statement), statement.plain, error);
      if (kind === "TRANS_STMT_BEGIN" || kind === "TRANS_STMT_START") this.#open = true;
      if (kind === "TRANS_STMT_COMMIT" || kind === "TRANS_STMT_ROLLBACK" || kind === "TRANS_STMT_PREPARE") {
        this.#open = node.TransactionStmt.chain === true;
        this.#held = new Set();
      }
      return;
    }
    if (this.#open) {
      const error = await this.#try(statement);
      if (error !== undefined) this.#reject(this.#place(statement), statement.plain, error);
      return;
    }
    await this.#inTransaction(statement, true);
    await this.#end("commit");
  }

  /** Runs a statement without a transaction around it. */
  async #bare(statement: SqlStatement): Promise<void> {
    try {
      this.#watch.statement?.(this.#place(statement));
      const limited = await this.#hasLockTimeout();
      await this.#run(statement);
      await this.#record(statement, limited, []);
    } catch (error) {
      this.#reject(this.#place(statement), statement.plain, error);
    }
  }

  /** Runs a statement inside of the open transaction. Returns PostgreSQL's error. */
  async #try(statement: SqlStatement, as = statement): Promise<unknown> {
    this.#watch.statement?.(this.#place(statement));
    // SET TRANSACTION must come before any savepoint.
    const { node } = statement;
    if (as === statement) await this.#removals?.try(statement);
    const block = conditionsOf(statement);
    const changed = (text: string) => this.#try({ ...statement, text, node: { VariableShowStmt: {} } }, statement);
    if (block !== undefined && (await this.#blocks.run(block, this.#place(statement), changed))) return undefined;
    const saved = !("VariableSetStmt" in node && node.VariableSetStmt.kind === "VAR_SET_MULTI");
    const limited = await this.#hasLockTimeout();
    let state: Row | undefined;
    try {
      if (saved) await this.#postgres.run("savepoint exai_plan");
      await this.#run(statement);
      if (saved) [state] = await this.#postgres.run(`execute ${PREPARED_STATE}; release exai_plan`, 0);
      if (saved && state?.extensions !== this.#extensions) {
        this.#extensions = state?.extensions;
        await this.#watch.extensions?.();
      }
    } catch (error) {
      await this.#postgres.run(saved ? "rollback to exai_plan; release exai_plan" : "rollback; begin");
      return error;
    } finally {
      this.#limited = state?.limited as boolean | undefined;
    }
    const id = Number(state?.id ?? 0);
    if (id > (this.#starts.at(-1)?.id ?? 0)) this.#starts.push({ id, source: this.#place(statement) });
    const locks = ((state?.locks as readonly string[] | null | undefined) ?? []).filter(
      (lock) => !this.#held.has(lock),
    );
    for (const lock of locks) this.#held.add(lock);
    await this.#record(as, limited, locks);
    return undefined;
  }

  /** Whether the next statement waits for locks no longer than a time-out says. */
  async #hasLockTimeout(): Promise<boolean> {
    if (this.#limited !== undefined) return this.#limited;
    const [row] = await this.#postgres.run(LIMITED);
    return row?.limited === true;
  }

  async #run(statement: SqlStatement): Promise<void> {
    await this.#postgres.run(this.#withoutOptions(statement));
    if (FORGETTING.some((kind) => kind in statement.node)) await this.#prepare();
  }

  /** The shape of pgvector has no options of its indexes. */
  #withoutOptions({ node, text }: SqlStatement): string {
    const shaped = this.#postgres.name.startsWith("PGlite") && "IndexStmt" in node;
    return shaped && /^(hnsw|ivfflat)$/.test(node.IndexStmt.accessMethod ?? "")
      ? text.replace(/\bwith\s*\([^)]*\)/i, "")
      : text;
  }

  async #record(statement: SqlStatement, lockTimeout: boolean, locks: readonly string[]): Promise<void> {
    const removed = (await this.#removals?.after(statement)) ?? [];
    this.statements.push({
      source: this.#place(statement),
      text: statement.plain,
      lockTimeout,
      locks: this.#named(locks),
      removed,
      ...passwordsOf(statement.node),
    });
  }

  /** The locks on tables that were there before the file, by their names. */
  #named(locks: readonly string[]): readonly string[] {
    return locks.flatMap((lock) => {
      const [id = "", mode = ""] = lock.split(" ");
      const table = this.#removals?.earlierTables.get(id);
      return table === undefined ? [] : [`${table} ${mode}`];
    });
  }

  #reject(source: SourcePosition, text: string, error: unknown): void {
    this.statements.push({ source, text, lockTimeout: true, locks: [], removed: [], error: messageOf(error) });
  }
}

import { splitStatements, type SentStatement } from "./split.ts";

/** Statements that the Supabase CLI runs together. */
export interface Batch {
  /**
   * - `transaction`: in one implicit transaction, which a statement in first place can leave
   * - `alone`: one statement outside of a transaction
   * - `session`: one after the other, in the transactions that the file itself begins and ends
   */
  readonly mode: "transaction" | "alone" | "session";
  readonly statements: readonly SentStatement[];
}

/** The first line of a file that shall have no transaction. */
const NO_TRANSACTION = "-- pg-delta: transaction=false";
/** Statements that the CLI takes out of the transaction of their file. */
const ALONE =
  /^(CREATE\s+(UNIQUE\s+)?INDEX\s+CONCURRENTLY|DROP\s+INDEX\s+CONCURRENTLY|REINDEX(\s|\().*\sCONCURRENTLY|VACUUM|ALTER\s+SYSTEM|CLUSTER)(\s|\(|$)/;
/** Statements that begin or end a transaction. */
const TRANSACTION = /^(BEGIN|START\s+TRANSACTION|COMMIT|END|ABORT|PREPARE\s+TRANSACTION)(\s|$)/;
const ROLLBACK = /^ROLLBACK(\s+(WORK|TRANSACTION))?(?!\s+TO\s)(\s|$)/;

/**
 * How the Supabase CLI 2.117 runs a file: in one transaction, which it interrupts for statements that cannot run in one. A file
 * that begins or ends a transaction itself, or whose first line forbids one, is sent statement by statement.
 */
export function batchesOf(sql: string): readonly Batch[] {
  const statements = splitStatements(sql);
  const first = /^[^\n]*/.exec(sql)?.[0] ?? "";
  if (first.replace(/\r$/, "") === NO_TRANSACTION || statements.some(({ text }) => controls(text)))
    return [{ mode: "session", statements }];
  const batches: Batch[] = [];
  let open: SentStatement[] = [];
  const close = () => {
    if (open.length > 0) batches.push({ mode: "transaction", statements: open });
    open = [];
  };
  for (const statement of statements) {
    if (ALONE.test(words(statement.text))) {
      close();
      batches.push({ mode: "alone", statements: [statement] });
    } else open.push(statement);
  }
  close();
  return batches;
}

function controls(text: string): boolean {
  const upper = words(text);
  return TRANSACTION.test(upper) || ROLLBACK.test(upper);
}

/** A statement without the comments before it, in capitals. */
function words(text: string): string {
  return text.replace(/^(\s|\uFEFF|--[^\n]*(\n|$)|\/\*[\s\S]*?\*\/)+/, "").toUpperCase();
}

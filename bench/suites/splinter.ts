import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { read } from "../../policies/database/read.ts";
import { parseStatements } from "../../contract/sql/statements.ts";
import { evaluate } from "../../policies/model/evaluate.ts";
import { RULES } from "../../policies/rules/index.ts";
import type { Case, Suite } from "./suite.ts";

/** Lints that one of our rules asks, by number. */
const ASKED: Readonly<Record<string, string>> = {
  "0001": "foreign-key-indexes",
  "0003": "rls-per-row-calls",
  "0007": "rls-enabled",
  "0008": "rls-policies-exist",
  "0010": "rls-views",
  "0011": "function-search-paths",
  "0013": "rls-enabled",
  "0015": "rls-user-claims",
  "0016": "rls-views",
  "0024": "rls-policies-bound",
  "0028": "rls-definer-functions",
  "0029": "rls-definer-functions",
};

/** Lints that ask about one role where our rule asks about all of them. */
const SAYS: Readonly<Record<string, RegExp>> = { "0028": /by .*\banon\b/, "0029": /by .*\bauthenticated\b/ };

const prelude = {
  file: "supabase/prelude.sql",
  text: readFileSync(fileURLToPath(new URL("../../supabase/prelude.sql", import.meta.url)), "utf8"),
};

/**
 * The regression tests of Supabase's linter: each asks a lint after some statements, and the expected output says how
 * many rows it gives. Each question becomes a separate database, created by the statements before it.
 */
export const splinter: Suite = {
  repository: "supabase/splinter",
  reads: ["test"],
  async *cases(folder): AsyncGenerator<Case> {
    for (const [number, name] of Object.entries(ASKED)) {
      const file = readdirSync(join(folder, "test/sql")).find((candidate) => candidate.startsWith(number));
      if (file === undefined) throw new Error(`splinter has no test ${number}`);
      const sql = readFileSync(join(folder, "test/sql", file), "utf8");
      const answers = answersIn(readFileSync(join(folder, "test/expected", file.replace(/sql$/, "out")), "utf8"));
      const rule = RULES.find((candidate) => candidate.name === name);
      if (rule === undefined) throw new Error(`there is no rule ${name}`);
      for (const [index, { line, statements }] of (await questionsIn(sql)).entries()) {
        const text = statements.map((statement) => `${statement};`).join("\n");
        const facts = await read(prelude, [{ file, text }]);
        const graph = { project: "suite", stack: "prod", resources: [], outputs: {} };
        const [outcome] = evaluate([rule], { graph, environment: "prod" }, facts);
        yield {
          id: `${file}:${line}`,
          refuse: (answers[index] ?? 0) > 0,
          findings: (outcome?.findings ?? [])
            .filter(({ message }) => SAYS[number]?.test(message) ?? true)
            .map(({ place, message }) => `${place.object ?? ""}: ${message}`),
        };
      }
    }
  },
  disagreements: [
    [/^0001.*:49$/, "an index over both columns of a key serves a lookup by both, in either order"],
    [
      /^0003.*:70$|^0024.*:209$/,
      "a policy is judged before its table's row-level security is on: on the day it is, it counts",
    ],
    [/^0013/, "row-level security is asked of every table, in every schema"],
    [/^0024.*:26$/, "reading the rows of all users is refused as well; a public table needs a waiver"],
    [/^0024.*:267$/, "PostgreSQL admits no row by an INSERT policy without WITH CHECK; `rls-write-checks` refuses it"],
    [/^002[89].*:1\d\d$/, "a function that a migration makes in schema auth is the project's as any other"],
  ],
};

/** The questions to lints, each with the statements that hold when it is asked: those after a savepoint go with it. */
async function questionsIn(sql: string): Promise<{ line: number; statements: readonly string[] }[]> {
  const questions: { line: number; statements: readonly string[] }[] = [];
  const savepoints = new Map<string, number>();
  let statements: string[] = [];
  for (const { line, text, plain: written } of await parseStatements(sql)) {
    const plain = written.toLowerCase();
    const back = /^rollback to savepoint (\w+)/.exec(plain)?.[1];
    const mark = /^savepoint (\w+)/.exec(plain)?.[1];
    if (/\blint\./.test(plain)) questions.push({ line, statements });
    else if (back !== undefined) statements = statements.slice(0, savepoints.get(back));
    else if (mark !== undefined) savepoints.set(mark, statements.length);
    else if (!/^(begin|rollback|set local)\b/.test(plain)) statements = [...statements, text];
  }
  return questions;
}

/** How many findings each question has, in psql's output; a `count(*)` says it in its only row. */
function answersIn(output: string): number[] {
  return [...output.matchAll(/\n-[-+]*\n((?:.*\n)*?)\((\d+) rows?\)/g)].map((match) => {
    const count = /^\s*(\d+)\s*$/.exec(match[1] ?? "")?.[1];
    return Number(count ?? match[2]);
  });
}

import { randomUUID } from "node:crypto";
import { qualified, text } from "./catalog.ts";
import { identifier, literal, sqlState, type Postgres } from "./postgres.ts";
import type { Command, DeclaredAccess, Evaluation, Policy, Probe, StaffMark, Table } from "./facts.ts";
import { become, claim, comparedWords, tokensOf } from "./tokens.ts";
import { harmlessChange, insertOf, RowMaker, type Fillable } from "./rows/row-maker.ts";
import { fillables } from "./rows/fillables.ts";

/** The results of probing. */
export interface Probed {
  readonly policies: readonly Policy[];
  readonly probes: readonly Probe[];
}

/** The places (`tableoid` and `ctid`) of one owner's rows, by table. */
type Places = ReadonlyMap<string, readonly string[]>;

/** The place of a row, across partitions. */
const PLACE = "tableoid::text || ctid::text";

/**
 * Inserts rows of two users into every table, evaluates the policies, and tries the commands as `anon` and as one user on
 * the rows of the other. The changes disappear with the database.
 */
export async function probe(
  postgres: Postgres,
  tables: readonly Table[],
  policies: readonly Policy[],
  apiRoles: readonly string[],
  declarations: readonly DeclaredAccess[] = [],
  marks: readonly StaffMark[] = [],
  step?: (step: string) => void,
): Promise<Probed> {
  const fillable = await fillables(postgres, tables, policies);
  const [asking, other] = [randomUUID(), randomUUID()];
  await makeUsers(postgres, [asking, other]);
  const theirs = await fill(postgres, fillable, new RowMaker(other));
  const own = await fill(postgres, fillable, new RowMaker(asking, marks));
  const errors = new Map([...theirs.errors, ...own.errors]);

  const words = comparedWords(policies);
  const evaluated: Policy[] = [];
  for (const policy of policies) {
    step?.(`policy ${policy.name} of ${policy.table}`);
    const evaluations: Evaluation[] = [];
    if (policy.permissive && theirs.places.has(policy.table))
      for (const role of apiRoles)
        if (policy.roles.includes(role) || policy.roles.includes("public"))
          evaluations.push(...(await evaluate(postgres, policy, role, asking, theirs.places, declarations, words)));
    evaluated.push({ ...policy, evaluations });
  }

  const probes: Probe[] = [];
  const sources = new Map(tables.map((table) => [table.name, table.source]));
  for (const table of fillable) {
    step?.(`a probe of ${table.table}`);
    for (const role of apiRoles) {
      const source = sources.get(table.table);
      const base = { table: table.table, role, ...(source === undefined ? {} : { source }) };
      const error = errors.get(table.table);
      if (error !== undefined) {
        probes.push({ ...base, command: "select", rows: 0, reached: 0, error });
        continue;
      }
      for (const result of await tryCommands(postgres, table, role, {
        asking,
        other,
        theirs: theirs.places,
        own: own.places,
        words,
        declared: (command) => declaredFor(declarations, table.table, role, [command]),
      }))
        probes.push({ ...base, ...result });
    }
  }
  return { policies: evaluated, probes };
}

async function makeUsers(postgres: Postgres, users: readonly string[]): Promise<void> {
  const [row] = await postgres.run("select to_regclass('auth.users') is not null as there");
  if (row?.there !== true) return;
  for (const user of users) await postgres.run(`insert into auth.users (id) values (${literal(user)})`);
}

async function fill(
  postgres: Postgres,
  tables: readonly Fillable[],
  maker: RowMaker,
): Promise<{ places: Places; errors: Map<string, string> }> {
  const places = new Map<string, string[]>();
  const errors = new Map<string, string>();
  for (const table of tables) {
    try {
      const rows = await postgres.run(
        `${insertOf(table, maker.rows(table))} on conflict do nothing returning ${PLACE} as place`,
      );
      places.set(
        table.table,
        rows.map((row) => text(row, "place")),
      );
    } catch (error) {
      errors.set(table.table, `no test row could be inserted: ${messageOf(error)}`);
    }
  }
  return { places, errors };
}

/** Evaluates a policy's expressions for rows of another user, with row-level security disabled on the table. */
async function evaluate(
  postgres: Postgres,
  policy: Policy,
  role: string,
  user: string,
  theirs: Places,
  declarations: readonly DeclaredAccess[],
  words: Readonly<Record<string, string>>,
): Promise<Evaluation[]> {
  const places = theirs.get(policy.table) ?? [];
  const evaluations: Evaluation[] = [];
  for (const expression of ["using", "check"] as const) {
    const condition = policy[expression];
    if (condition === undefined) continue;
    const table = qualified(policy.table);
    const open = declaredFor(declarations, policy.table, role, policy.commands);
    // A policy calls functions by their identifiers, without a privilege on their schemas.
    const schemas = new Set(
      [policy.table, ...policy.calls].map((name) => identifier(name.slice(0, name.indexOf(".")))),
    );
    try {
      await postgres.run(
        `begin; alter table ${table} disable row level security; grant usage on schema ${[...schemas].join(", ")} to ${identifier(role)}; grant select on ${table} to ${identifier(role)}; ${become(role, user)}`,
      );
      let [rows, passed] = [0, 0];
      for (const token of tokensOf(role, user, words)) {
        const [row] = await postgres.run(
          `${claim(token, words)}; select count(*)::int as rows, (count(*) filter (where (${condition}) and (${open}) is not true))::int as passed from ${table} where ${PLACE} = any (${arrayOf(places)})`,
        );
        [rows, passed] = [Number(row?.rows), Math.max(passed, Number(row?.passed))];
      }
      evaluations.push({ role, expression, rows, passed });
    } catch (error) {
      evaluations.push({ role, expression, rows: 0, passed: 0, error: messageOf(error) });
    } finally {
      await postgres.run("rollback");
    }
  }
  return evaluations;
}

interface Ground {
  readonly asking: string;
  readonly other: string;
  readonly theirs: Places;
  readonly own: Places;
  readonly words: Readonly<Record<string, string>>;
  /** SQL condition of the rows that are declared to be open to a command. */
  readonly declared: (command: Command) => string;
}

/** The condition of the rows that a role may reach with all of some commands. */
function declaredFor(
  declarations: readonly DeclaredAccess[],
  table: string,
  role: string,
  commands: readonly Command[],
): string {
  const conditions = commands.map((command) => {
    const open = declarations.filter(
      (each) =>
        each.error === undefined &&
        each.table === table &&
        each.roles.includes(role) &&
        each.commands.includes(command),
    );
    return open.length === 0 ? "false" : open.map(({ when }) => `(${when ?? "true"})`).join(" or ");
  });
  return conditions.map((condition) => `(${condition})`).join(" and ");
}

type Result = Pick<Probe, "command" | "rows" | "reached"> & { readonly error?: string };

/**
 * Tries the four commands on rows of another user, and to assign its own rows to that user. Updates and deletes have no
 * WHERE clause: with one, the policies for reading would also apply and could hide a fault.
 */
async function tryCommands(postgres: Postgres, table: Fillable, role: string, ground: Ground): Promise<Result[]> {
  const name = qualified(table.table);
  const places = ground.theirs.get(table.table) ?? [];
  const results: Result[] = [];
  const [privileges] = await postgres.run(
    ["select", "insert", "update", "delete"]
      .map((command) => {
        const of = `${literal(role)}, ${literal(name)}::regclass, ${literal(command)}`;
        return command === "delete"
          ? `has_table_privilege(${of}) as ${command}`
          : `has_any_column_privilege(${of}) as ${command}`;
      })
      .join(", ")
      .replace(/^/, "select "),
  );
  const may = (command: string) => privileges?.[command] === true;
  const remaining = async (which: readonly string[]) => {
    const [row] = await postgres.run(
      `reset role; select count(*)::int as count from ${name} where ${PLACE} = any (${arrayOf(which)})`,
    );
    return Number(row?.count);
  };
  const attempt = async (command: Result["command"], rows: number, act: () => Promise<number>) => {
    if (rows === 0) return;
    if (!may(command === "give away" ? "update" : command)) {
      results.push({ command, rows, reached: 0 });
      return;
    }
    try {
      await postgres.run(`begin; ${become(role, ground.asking, ground.words)}`);
      results.push({ command, rows, reached: await act() });
    } catch (error) {
      // A refusal by a policy is a result; any other error is not.
      const refused = sqlState(error) === "42501";
      results.push({ command, rows, reached: 0, ...(refused ? {} : { error: messageOf(error) }) });
    } finally {
      await postgres.run("rollback");
    }
  };

  /** Rows of the other user that are not declared to be open. */
  const closed = async (command: Command): Promise<readonly string[]> => {
    const open = ground.declared(command);
    if (open === "(false)") return places;
    const rows = await postgres.run(
      `begin; ${become(role, ground.asking, ground.words)}; reset role; select ${PLACE} as place from ${name} where ${PLACE} = any (${arrayOf(places)}) and (${open}) is not true`,
    );
    await postgres.run("rollback");
    return rows.map((row) => text(row, "place"));
  };

  const hidden = await closed("select");
  await attempt("select", hidden.length, async () => {
    let most = 0;
    for (const token of tokensOf(role, ground.asking, ground.words)) {
      const [row] = await postgres.run(
        `${claim(token, ground.words)}; select count(*)::int as count from ${name} where ${PLACE} = any (${arrayOf(hidden)})`,
      );
      most = Math.max(most, Number(row?.count));
    }
    return most;
  });
  const change = harmlessChange(table, ground.asking);
  const fixed = await closed("update");
  if (change !== undefined)
    await attempt("update", fixed.length, async () => {
      await postgres.run(`update ${name} set ${identifier(change.column)} = ${change.value}`);
      return fixed.length - (await remaining(fixed));
    });
  const kept = await closed("delete");
  await attempt("delete", kept.length, async () => {
    await postgres.run(`delete from ${name}`);
    return kept.length - (await remaining(kept));
  });
  /** Whether a row that was inserted is declared to be one that anyone may insert. */
  const isOpen = async (row: Readonly<Record<string, string>>): Promise<boolean> => {
    if (ground.declared("insert") === "(false)") return false;
    const [made] = await postgres.run(
      `rollback; begin; ${become(role, ground.asking, ground.words)}; reset role; ${insertOf(table, [row])} returning (${ground.declared("insert")}) as open`,
    );
    return made?.open === true;
  };
  if (may("insert")) {
    const maker = new RowMaker(ground.other);
    const rows = maker.rows(table);
    const owners = table.columns.filter((column) => column.owner);
    // With two columns for people, each row names the caller in one of them: only one of the columns may say who writes.
    const mixed =
      owners.length < 2 ? [] : owners.map((column) => ({ ...rows[0], [column.name]: literal(ground.asking) }));
    let fault: string | undefined;
    const inserts = async (row: Readonly<Record<string, string>>): Promise<boolean> => {
      try {
        await postgres.run(`begin; ${become(role, ground.asking, ground.words)}; ${insertOf(table, [row])}`);
        return !(await isOpen(row));
      } catch (error) {
        // The policies admit the row before PostgreSQL looks for an equal key.
        if (sqlState(error) === "23505") return true;
        if (sqlState(error) !== "42501") fault = messageOf(error);
        return false;
      } finally {
        await postgres.run("rollback");
      }
    };
    let reached = 0;
    for (const row of rows) if (await inserts(row)) reached += 1;
    let named = 0;
    for (const row of mixed) if (await inserts(row)) named += 1;
    if (named > 1) reached += 1;
    results.push({
      command: "insert",
      rows: rows.length,
      reached,
      ...(fault === undefined || reached > 0 ? {} : { error: fault }),
    });
  } else {
    results.push({ command: "insert", rows: places.length, reached: 0 });
  }
  const owner = table.columns.find((column) => column.owner);
  const own = ground.own.get(table.table) ?? [];
  if (owner !== undefined && role !== "anon")
    await attempt("give away", own.length, async () => {
      await postgres.run(`update ${name} set ${identifier(owner.name)} = ${literal(ground.other)}`);
      return own.length - (await remaining(own));
    });
  return results;
}

function arrayOf(places: readonly string[]): string {
  return `array[${places.map(literal).join(", ")}]::text[]`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

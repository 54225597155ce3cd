import { list, qualified, text } from "../catalog.ts";
import { identifier, literal, type Postgres, type Row, USER_SCHEMAS } from "../postgres.ts";

// Names of the catalog:
// cspell:ignore adbin adnum adrelid attidentity confkey conkey conrelid contype confrelid indkey indrelid

/** Rows of a table. */
const ROWS = 24;

const COLUMNS = `select n.nspname || '.' || c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, b.typcategory as category, b.typname as base, not a.attnotnull as nullable,
    array(select e.enumlabel::text from pg_enum e where e.enumtypid = b.oid order by e.enumsortorder) as labels,
    a.attidentity <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid), '') ~ 'nextval' or exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and i.indkey[0] = a.attnum) as key,
    coalesce(pg_get_expr(d.adbin, d.adrelid), '') as default, coalesce((select string_agg(pg_get_constraintdef(k.oid), ' ') from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]), '') as checks,
    (select tn.nspname || '.' || t.relname || ' ' || f.attname from pg_constraint k join pg_class t on t.oid = k.confrelid join pg_namespace tn on tn.oid = t.relnamespace join pg_attribute f on f.attrelid = t.oid and f.attnum = k.confkey[array_position(k.conkey, a.attnum)]
     where k.contype = 'f' and k.conrelid = c.oid and a.attnum = any (k.conkey) order by cardinality(k.conkey) limit 1) as refers
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    join pg_type t on t.oid = a.atttypid join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
  where c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and ${USER_SCHEMAS} order by 1, a.attnum`;

interface Column {
  readonly name: string;
  readonly type: string;
  readonly category: string;
  readonly base: string;
  readonly nullable: boolean;
  readonly labels: readonly string[];
  /** Whether it differs from row to row. */
  readonly key: boolean;
  /** Whether it says when something happened. */
  readonly past: boolean;
  /** Strings that a constraint or the statement compares with. */
  readonly words: readonly string[];
  /** Whether it is always one of them. */
  readonly isOneOf: boolean;
  /** `schema.table column` */
  readonly refers: string | undefined;
}

/** Makes rows with values as they are in use: identifiers, states, times before now, and after now for what can lie ahead. */
export class TrialRows {
  readonly #postgres: Postgres;
  readonly #tables = new Map<string, Column[]>();
  /** Whether columns that may be null are so in some rows. */
  readonly #nulls: boolean;

  private constructor(postgres: Postgres, rows: readonly Row[], sql: string) {
    this.#postgres = postgres;
    this.#nulls = /\b(null|coalesce|nullif)\b/i.test(sql);
    for (const row of rows) {
      const columns = this.#tables.get(text(row, "table")) ?? [];
      this.#tables.set(text(row, "table"), [...columns, columnOf(row, sql)]);
    }
  }

  /** @param sql the statement for which the rows are made */
  static async for(postgres: Postgres, sql: string): Promise<TrialRows> {
    return new TrialRows(postgres, await postgres.run(COLUMNS), sql);
  }

  /** Makes rows of tables, and of those to which they refer. Returns all of them. */
  async fill(named: Iterable<string> = this.#tables.keys()): Promise<readonly string[]> {
    const tables = this.#withParents(named);
    const inserts = tables.flatMap((table) => Array.from({ length: ROWS }, (_, row) => this.#insert(table, row)));
    // A row that a constraint refuses is left out.
    const each = inserts.map((insert) => `begin ${insert} exception when others then null; end;`);
    await this.#postgres.run(`do $exai_trial$ begin ${each.join("\n")} end $exai_trial$`);
    return tables;
  }

  #withParents(named: Iterable<string>): string[] {
    const [order, seen] = [new Set<string>(), new Set<string>()];
    const add = (table: string) => {
      if (seen.has(table)) return;
      seen.add(table);
      for (const { refers } of this.#tables.get(table) ?? []) if (refers !== undefined) add(refers.split(" ")[0] ?? "");
      if (this.#tables.has(table)) order.add(table);
    };
    for (const table of named) add(table);
    return [...order];
  }

  #insert(table: string, row: number): string {
    const columns = this.#tables.get(table) ?? [];
    const values = columns.flatMap((column, at) => {
      const value = this.#value(column, row, at);
      return value === undefined ? [] : [{ name: identifier(column.name), value: `${value}::${column.type}` }];
    });
    if (values.length === 0) return `insert into ${qualified(table)} default values;`;
    const [names, all] = [values.map(({ name }) => name), values.map(({ value }) => value)];
    return `insert into ${qualified(table)} (${names.join(", ")}) overriding system value values (${all.join(", ")});`;
  }

  /** @param at the place of the column, so that two columns of a row are independent */
  #value(column: Column, row: number, at: number): string | undefined {
    const { refers, nullable, key } = column;
    if (nullable && this.#nulls && (row + at) % 3 === 0) return "null";
    if (refers === undefined) return valueOf(column, key ? row : (row * 5 + at) % ROWS);
    // Half of the rows to which others can refer have none that does.
    const [table = "", name = ""] = refers.split(" ");
    return `(select value from (select ${identifier(name)} as value, row_number() over () as n, count(*) over () as all from ${qualified(table)}) p where n = 1 + ${row} % greatest(p.all / 2, 1))`;
  }
}

function columnOf(row: Row, sql: string): Column {
  const checks = text(row, "checks");
  const isOneOf = /= ANY \(|= '/.test(checks);
  const words = [...`${checks} ${isOneOf ? "" : sql}`.matchAll(/'((?:[^']|'')*)'/g)].map(([, word = ""]) =>
    isOneOf ? word : word.replaceAll("%", "x"),
  );
  const name = text(row, "name");
  return {
    name,
    type: text(row, "type"),
    category: text(row, "category"),
    base: text(row, "base"),
    nullable: row.nullable === true,
    labels: list(row, "labels"),
    key: row.key === true,
    past:
      /\b(now|clock_timestamp)\(|\bcurrent_(timestamp|date)\b/i.test(text(row, "default")) ||
      /^(created|inserted|updated|modified)/i.test(name),
    isOneOf,
    words: [...new Set(words)].filter((word) => /^[\w.@/ -]{1,60}$/.test(word)),
    refers: typeof row.refers === "string" ? row.refers : undefined,
  };
}

const PAST = ["1 minute", "1 hour", "1 day", "20 days", "80 days", "200 days", "400 days", "1000 days", "3000 days"];
const AHEAD = ["-1 hour", "-1 day", "-20 days", "-200 days", "-1500 days"];

/** A value of a column's type. Undefined for a type without one: the column gets its default. */
function valueOf({ labels, category, base, key, past, words, isOneOf }: Column, index: number): string | undefined {
  if (labels.length > 0) return literal(labels[index % labels.length] ?? "");
  switch (category) {
    case "B":
      return String(index % 2 === 0);
    case "N":
      return key
        ? String(index < ROWS / 2 ? index + 1 : 100 * 4 ** (base === "int2" ? 3 : index - ROWS / 2))
        : numberOf(index, base);
    case "S": {
      const word = isOneOf ? words[index % words.length] : index % 3 === 0 ? words[index / 3] : undefined;
      return literal(word ?? `value-${index}`);
    }
    case "D": {
      if (base.startsWith("time") && !base.startsWith("timestamp")) return literal(`${index % 24}:30`);
      const ages = past ? PAST : [...PAST, ...AHEAD];
      return `(now() - interval '${ages[index % ages.length] ?? "1 day"}')`;
    }
    case "T":
      return literal(`${index} hours`);
    case "A":
      return base === "_text" && index % 2 === 0 ? literal(`{value-${index}}`) : "'{}'";
    case "I":
      return literal(`192.0.2.${index}`);
  }
  if (base === "uuid")
    return literal(
      `${((index * 0x9e3779b1) % 0xffffffff).toString(16).padStart(8, "0")}-1111-4111-8111-${String(index).padStart(12, "1")}`,
    );
  if (base === "json" || base === "jsonb") return index % 2 === 0 ? "'{}'" : literal(JSON.stringify({ value: index }));
  if (base === "bytea") return `'\\x${index.toString(16).padStart(2, "0")}'`;
  return undefined;
}

function numberOf(index: number, base: string): string {
  const all = [0, 1, 2, 3, 5, 7, 10, 20, 99, 100, 1000, ...(base === "int2" ? [] : [50_000, 2_000_000])];
  return String(all[index % all.length]);
}

import type { Postgres, Row } from "../postgres.ts";
import { identifier, literal, USER_SCHEMAS } from "../postgres.ts";
import { list, qualified, text } from "../catalog.ts";
import type { Policy, Table } from "../facts.ts";
import { USERS, value, type Column, type Fillable, type Key } from "./row-maker.ts";

// cspell:ignore indnkeyatts indpred contypid inhparent inhrelid inhseqno partrelid partstrat typnotnull typtypmod

/** Names of owner columns without a foreign key to the users. */
const OWNER_NAME =
  /^(user|owner|author|creator|account|profile|member|created_by|reported_by|uploaded_by|owned_by)(_?(id|uid|uuid))?$/i;

/** A column's type; none for a column that takes one kind of shape alone in the real PostGIS. The shape of PostGIS has 1 as the modifier. */
const TYPE = "case when b.typname in ('geometry', 'geography') and a.atttypmod > 1 then '' else b.typname end";

/** Reads what is needed to create rows, then drops the constraints that test rows would violate. */
export async function fillables(
  postgres: Postgres,
  tables: readonly Table[],
  policies: readonly Policy[],
): Promise<Fillable[]> {
  const names = tables.filter((table) => table.kind !== "foreign table").map((table) => table.name);
  if (names.length === 0) return [];
  await standAlone(postgres);
  const array = `array[${names.map(literal).join(", ")}]::text[]`;
  const keys = (
    await postgres.run(
      `select n.nspname || '.' || c.relname as table, tn.nspname || '.' || t.relname as target,
         array(select a.attname::text from unnest(k.conkey) with ordinality u(n, i) join pg_attribute a on a.attrelid = c.oid and a.attnum = u.n order by u.i) as columns,
         array(select a.attname::text from unnest(k.confkey) with ordinality u(n, i) join pg_attribute a on a.attrelid = t.oid and a.attnum = u.n order by u.i) as targets
       from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace join pg_class t on t.oid = k.confrelid join pg_namespace tn on tn.oid = t.relnamespace
       where k.contype = 'f' and n.nspname || '.' || c.relname = any (${array})`,
    )
  ).map((row): Key => ({
    table: text(row, "table"),
    target: text(row, "target"),
    columns: list(row, "columns"),
    targetColumns: list(row, "targets"),
  }));
  const rows = await postgres.run(
    `select n.nspname || '.' || c.relname as table, a.attname as name, ${TYPE} as type, b.typcategory as category, case when b.typname in ('varchar', 'bpchar') and greatest(a.atttypmod, t.typtypmod) > 4 then greatest(a.atttypmod, t.typtypmod) - 4 end as length,
       not a.attnotnull as nullable, exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and i.indpred is null and i.indnkeyatts = 1 and i.indkey[0] = a.attnum) as unique, exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and a.attnum = any (i.indkey)) as primary, array(select e.enumlabel::text from pg_enum e where e.enumtypid = b.oid order by e.enumsortorder) as labels,
       coalesce((select string_agg(pg_get_constraintdef(k.oid), ' ') from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]), '') as checks
     from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace join pg_type t on t.oid = a.atttypid
       join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
     where n.nspname || '.' || c.relname = any (${array}) and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by 1, a.attnum`,
  );
  const found = names.map((table): Fillable => {
    const own = keys.filter((key) => key.table === table);
    const expressions = policies
      .filter((policy) => policy.table === table)
      .map((policy) => `${policy.using ?? ""} ${policy.check ?? ""}`)
      .join(" ");
    return {
      table,
      keys: own,
      columns: rows.filter((row) => text(row, "table") === table).map((row) => columnOf(row, own, expressions)),
    };
  });
  await dropObstacles(postgres, array);
  for (const { table, columns } of found)
    for (const column of columns)
      if (!column.nullable && !column.owner && value(column, 0) === "null")
        await makeNullable(postgres, table, column.name);
  return inOrder(found);
}

function columnOf(row: Row, keys: readonly Key[], expressions: string): Column {
  const name = text(row, "name");
  const refersToUser = keys.some((key) => key.target === USERS && key.columns.length === 1 && key.columns[0] === name);
  const compared = new RegExp(`\\b${name}\\b"?\\)?(?:::\\w+)? = '((?:[^']|'')*)'`, "g");
  const words = [...text(row, "checks").matchAll(/'((?:[^']|'')*)'::/g), ...expressions.matchAll(compared)].map(
    (match) => (match[1] ?? "").replaceAll("''", "'"),
  );
  const category = text(row, "category");
  return {
    name,
    type: text(row, "type"),
    category,
    length: typeof row.length === "number" ? row.length : undefined,
    nullable: row.nullable === true,
    labels: list(row, "labels"),
    words: category === "S" ? [...new Set(words)] : [],
    unique: row.unique === true,
    primary: row.primary === true,
    owner: refersToUser || (OWNER_NAME.test(name) && ["uuid", "text", "varchar"].includes(text(row, "type"))),
  };
}

/** Parents first; cycles are broken at the first table visited. */
function inOrder(tables: readonly Fillable[]): Fillable[] {
  const byName = new Map(tables.map((table) => [table.table, table]));
  const done = new Set<string>();
  const order: Fillable[] = [];
  const visit = (table: Fillable): void => {
    if (done.has(table.table)) return;
    done.add(table.table);
    for (const key of table.keys) {
      const parent = byName.get(key.target);
      if (parent !== undefined) visit(parent);
    }
    order.push(table);
  };
  tables.forEach(visit);
  return order;
}

/**
 * Makes each partition and each child a separate table with its own policies, since a request can name it. A
 * partitioned table gets one partition for all rows.
 */
async function standAlone(postgres: Postgres): Promise<void> {
  const children = await postgres.run(
    `select format('alter table %s %s %s', case when c.relispartition then i.inhparent::regclass else i.inhrelid::regclass end, case when c.relispartition then 'detach partition' else 'no inherit' end, case when c.relispartition then i.inhrelid::regclass else i.inhparent::regclass end) as change
     from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'f') and ${USER_SCHEMAS} order by i.inhseqno`,
  );
  for (const row of children) await postgres.run(text(row, "change"));
  const parents = await postgres.run(
    `select format('create table %I.%I partition of %s %s', n.nspname, 'exai_rows_' || c.oid, c.oid::regclass, case p.partstrat when 'h' then 'for values with (modulus 1, remainder 0)' else 'default' end) as change
     from pg_partitioned_table p join pg_class c on c.oid = p.partrelid join pg_namespace n on n.oid = c.relnamespace where ${USER_SCHEMAS}`,
  );
  for (const row of parents) await postgres.run(text(row, "change"));
}

/** Drops constraints and indexes that would reject test rows: the scratch database need not stay consistent. */
async function dropObstacles(postgres: Postgres, array: string): Promise<void> {
  const rows = await postgres.run(
    `select format('alter table %I.%I ', n.nspname, c.relname) || string_agg(format('drop constraint if exists %I cascade', k.conname), ', ') as drop
     from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
     where k.contype in ('c', 'u', 'x') and k.conparentid = 0 and n.nspname || '.' || c.relname = any (${array}) group by n.nspname, c.relname
     union all
     select format('drop index if exists %I.%I cascade', n.nspname, ic.relname) from pg_index i join pg_class c on c.oid = i.indrelid join pg_class ic on ic.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
     where i.indisunique and not i.indisprimary and n.nspname || '.' || c.relname = any (${array}) and not exists (select from pg_constraint k where k.conindid = ic.oid)
     union all
     select format('alter domain %s drop constraint %I', k.contypid::regtype, k.conname) from pg_constraint k where k.contypid <> 0 and k.contype = 'c' and k.oid >= 16384
     union all
     select format('alter domain %s drop not null', t.oid::regtype) from pg_type t where t.typtype = 'd' and t.typnotnull and t.oid >= 16384`,
  );
  await postgres.run(rows.map((row) => text(row, "drop")).join(";\n"));
  // Triggers and foreign keys are disabled: they do not separate users.
  await postgres.run("set session_replication_role = 'replica'");
}

/** A type for which there is no value here, such as a string of bits: the column stays empty. */
async function makeNullable(postgres: Postgres, table: string, column: string): Promise<void> {
  try {
    await postgres.run(`alter table ${qualified(table)} alter column ${identifier(column)} drop not null`);
  } catch {
    // It is part of the primary key: the insertion says so.
  }
}

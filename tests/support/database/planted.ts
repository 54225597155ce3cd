/** A change of a branch that a workload must find, and the statement that finds it. Each has a table `shadow.t<number>`. */
export interface PlantedDifference {
  /** What is done in the branch; `t` is the table. */
  readonly change: string;
  /** What users run; `t` is the table. */
  readonly statement: string;
}

/** Makes the tables: 50 rows each, of which a user sees those that a policy allows. */
export const PLANTED_TABLES = `
  create schema shadow;
  grant usage on schema shadow to authenticated;
  create table shadow.other (id int primary key);
  do $$ begin
    for number in 1 .. 40 loop
      execute format('create table shadow.t%1$s (id int constraint t%1$s_key primary key, n int default 1, w text)', number);
      execute format('insert into shadow.t%s select i, i, ''w'' || i from generate_series(1, 50) as i', number);
      execute format('alter table shadow.t%s enable row level security', number);
      execute format('create policy p on shadow.t%s to authenticated using (true) with check (true)', number);
      execute format('grant select, insert, update, delete on shadow.t%s to authenticated', number);
      execute format('create function shadow.f%s(n int) returns int language sql as ''select n + 1''', number);
      execute format('grant execute on function shadow.f%s(int) to authenticated', number);
      execute format('create view shadow.v%1$s with (security_invoker) as select id, n from shadow.t%1$s', number);
      execute format('grant select on shadow.v%s to authenticated', number);
    end loop;
  end $$;
`;

export const PLANTED: readonly PlantedDifference[] = [
  { change: "alter table t alter w type varchar(100)", statement: "select id, w from t" },
  { change: "alter table t drop w", statement: "select w from t" },
  { change: "alter table t add extra text", statement: "select * from t" },
  { change: "update t set n = 0 where id = 7", statement: "select id, n from t" },
  { change: "delete from t where id = 7", statement: "select id from t where id < 9" },
  { change: "insert into t values (99)", statement: "select max(id) from t" },
  { change: "alter table t alter n set default 2", statement: "insert into t (id) values (60) returning n" },
  { change: "alter table t add check (n < 60)", statement: "insert into t (id, n) values (60, 60)" },
  { change: "create unique index on t (w)", statement: "insert into t (id, w) values (60, 'w1')" },
  { change: "drop policy p on t", statement: "select id from t" },
  { change: "alter policy p on t using (id > 1)", statement: "update t set n = 0" },
  { change: "revoke select on t from authenticated", statement: "select id from t" },
  {
    change: `create function shadow.twice() returns trigger language plpgsql as 'begin new.n := new.n * 2; return new; end';
      create trigger twice before insert on t for each row execute function shadow.twice()`,
    statement: "insert into t (id, n) values (60, 60) returning n",
  },
  {
    change: "create or replace function f(n int) returns int language sql as 'select n + 2'",
    statement: "select f(1)",
  },
  { change: "update t set w = upper(w) where id = 7", statement: "select string_agg(w, ',' order by id) from t" },
  { change: "alter table t alter w set not null", statement: "insert into t (id) values (60)" },
  {
    change: "alter table t add foreign key (n) references shadow.other not valid",
    statement: "insert into t (id) values (60)",
  },
  {
    change: "create or replace view v with (security_invoker) as select id, n + 1 as n from t",
    statement: "select n from v",
  },
  {
    change: "alter table t drop constraint t_key",
    statement: "insert into t (id) values (1) on conflict (id) do nothing",
  },
  {
    change: "update t set w = '' where id = 7; update t set w = null where id = 8",
    statement: "select w from t where id in (7, 8) order by id",
  },
];

/** Text about a table, function or view of a number. */
export function numbered(text: string, number: number): string {
  return text
    .replaceAll(/\bt\b/g, `shadow.t${String(number)}`)
    .replaceAll(/\b([fv])\b(?=\(|\s|$)/g, `shadow.$1${String(number)}`)
    .replaceAll("t_key", `t${String(number)}_key`);
}

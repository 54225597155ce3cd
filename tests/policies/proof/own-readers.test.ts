import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPglite, type Postgres } from "../../../policies/database/postgres.ts";
import { readSchema } from "../../../policies/database/schema.ts";
import { ownReaders } from "../../../policies/proof/own-readers.ts";
import { SCHEMA } from "./policies.ts";

// cspell:ignore leftarg rightarg

const definer = (name: string, body: string, returns = "boolean", language = "sql", path = "''") =>
  `create function public.${name} returns ${returns} language ${language} stable security definer set search_path = ${path} as $$ ${body} $$;`;

/** They give nothing but what is the caller's, for any arguments. */
const OWN: Readonly<Record<string, string>> = {
  my_teams: definer(
    "my_teams()",
    "select team_id from public.members where user_id = (select auth.uid())",
    "setof uuid",
  ),
  has_role: definer(
    "has_role(team uuid, wanted text default null)",
    "select exists (select 1 from public.members m where m.user_id = auth.uid() and m.team_id = has_role.team and (m.role = wanted or wanted is null))",
  ),
  is_staff_now: definer(
    "is_staff_now()",
    "begin return exists (select 1 from public.profiles where id = auth.uid() and is_admin); end",
    "boolean",
    "plpgsql",
  ),
  my_role: definer(
    "my_role()",
    "select coalesce((select role from public.profiles where id = auth.uid()), 'user')",
    "text",
  ),
  how_many: definer(
    "how_many()",
    "select count(*) from public.docs where owner_id = (auth.jwt() ->> 'sub')::uuid",
    "bigint",
  ),
  both: definer(
    "both()",
    "select m.team_id from public.members m join public.shares s on s.user_id = auth.uid() where m.user_id = auth.uid()",
    "setof uuid",
  ),
  either: definer(
    "either()",
    "select team_id from public.members where user_id = auth.uid() union select team_id from public.joined where user_id = auth.uid()",
    "setof uuid",
  ),
  through: definer("through()", "select exists (select from public.my_teams() t where t is not null)"),
};

/** They give more, change something, or are not understood. */
const MORE: Readonly<Record<string, string>> = {
  all_rows: definer("all_rows()", "select team_id from public.members", "setof uuid"),
  of_argument: definer(
    "of_argument(person uuid)",
    "select team_id from public.members where user_id = person",
    "setof uuid",
  ),
  hidden_argument: definer(
    "hidden_argument(user_id uuid)",
    "select t.team_id from public.members t where t.user_id = hidden_argument.user_id",
    "setof uuid",
  ),
  or_all: definer(
    "or_all()",
    "select team_id from public.members where user_id = auth.uid() or role = 'member'",
    "setof uuid",
  ),
  not_mine: definer("not_mine()", "select team_id from public.members where user_id <> auth.uid()", "setof uuid"),
  in_a_target: definer(
    "in_a_target()",
    "select (select string_agg(p.name, ',') from public.profiles p) from public.members where user_id = auth.uid()",
    "text",
  ),
  in_a_negation: definer(
    "in_a_negation(pattern text)",
    "select not exists (select from public.profiles p where p.name like pattern)",
  ),
  joined_on: definer(
    "joined_on()",
    "select d.id from public.members m left join public.docs d on true where m.user_id = auth.uid()",
    "setof uuid",
  ),
  joined_all: definer(
    "joined_all()",
    "select d.id from public.members m join public.docs d on d.owner_id <> m.user_id where m.user_id = auth.uid()",
    "setof uuid",
  ),
  in_with: definer(
    "in_with()",
    "with all_of_it as (select id from public.docs) select id from all_of_it",
    "setof uuid",
  ),
  by_email: definer(
    "by_email()",
    "select team_id from public.members where role = auth.jwt() ->> 'email'",
    "setof uuid",
  ),
  by_metadata: definer(
    "by_metadata()",
    "select team_id from public.members where team_id = (auth.jwt() -> 'user_metadata' ->> 'team')::uuid",
    "setof uuid",
  ),
  by_query: definer("by_query(statement text)", "select query_to_xml(statement, true, true, '')", "xml"),
  by_setting: definer("by_setting(v text)", "select set_config('request.jwt.claims', v, true)", "text"),
  by_conflict: definer(
    "by_conflict(user_id uuid)",
    "#variable_conflict use_variable\n begin return (select string_agg(role, ',') from public.members where user_id = auth.uid()); end",
    "text",
    "plpgsql",
  ),
  by_row: `create function public.all_of(public.members) returns text language sql stable as $$ select string_agg(role, ',') from public.members $$;
    ${definer("by_row()", "select m.all_of from public.members m where m.user_id = auth.uid()", "text", "sql", "public")}`,
  by_row_of_query: definer(
    "by_row_of_query()",
    "select (m).all_of from public.members m where m.user_id = auth.uid()",
    "text",
    "sql",
    "public",
  ),
  by_cast: `create type public.word as (content text);
    create function public.word_by(text) returns public.word language sql as $$ select row($1)::public.word $$;
    create cast (text as public.word) with function public.word_by(text);
    ${definer("by_cast()", "select (m.role::public.word)::text from public.members m where m.user_id = auth.uid()", "text")}`,
  by_operator: `create type public.plan as enum ('free', 'paid');
    create table public.plans (plan public.plan, secret text);
    create function public.always(public.plan, public.plan) returns boolean language sql immutable as 'select true';
    create operator public.= (leftarg = public.plan, rightarg = public.plan, function = public.always);
    ${definer(
      "by_operator()",
      "select secret from public.plans where plan = (auth.jwt() -> 'app_metadata' ->> 'plan')::public.plan",
      "setof text",
      "sql",
      "public",
    )}`,
  by_another: definer("by_another()", "select count(*) from public.all_rows()", "bigint"),
  dynamic: definer(
    "dynamic(t text)",
    "begin return query execute 'select to_jsonb(x) from ' || t || ' x'; end",
    "setof jsonb",
    "plpgsql",
  ),
  writes: `create function public.writes() returns void language sql security definer set search_path = '' as $$ delete from public.docs where owner_id = auth.uid() $$;`,
  open_path: `create function public.open_path() returns setof uuid language sql security definer as $$ select team_id from members where user_id = auth.uid() $$;`,
};

describe("functions that read for their caller", () => {
  let postgres: Postgres;
  let readers: ReadonlySet<string>;
  beforeAll(async () => {
    postgres = await openPglite([]);
    await postgres.run(readFileSync(new URL("../../../supabase/prelude.sql", import.meta.url), "utf8"));
    await postgres.run([SCHEMA, ...Object.values(OWN), ...Object.values(MORE)].join("\n"));
    readers = ownReaders(await readSchema(postgres, ["anon", "authenticated"], () => undefined));
  });
  afterAll(() => postgres.close());

  it.each(["authorize", "in_team", ...Object.keys(OWN)])("%s gives nothing but what is the caller's", (name) => {
    expect(readers.has(`public.${name}`)).toBe(true);
  });

  it.each(Object.keys(MORE))("%s may give more", (name) => {
    expect(readers.has(`public.${name}`)).toBe(false);
  });
});

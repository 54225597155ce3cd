import fc from "fast-check";

// cspell:ignore letrec

/** Two people; each policy is judged for every row, and for tokens of the first one. */
const [FIRST, SECOND] = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"];

/** All rows with these values, a membership table that users cannot write, and one that they can. */
export const WORLD = `
create table public.items as
  select row_number() over ()::int as id, owner, other, team, org, word, flag
  from unnest(array['${FIRST}', '${SECOND}']::uuid[]) owner, unnest(array['${FIRST}', '${SECOND}', null]::uuid[]) other,
    unnest(array[1, 2, null]) team, unnest(array['x', 'y', null]) org, unnest(array['p', 'q']) word, unnest(array[true, false, null]) flag;
alter table public.items alter column owner set not null, alter column word set not null;
create table public.members (team int not null, person uuid not null, kind text not null, primary key (team, person));
insert into public.members values (1, '${FIRST}', 'editor'), (2, '${SECOND}', 'editor');
create table public.open_members (team int not null, person uuid not null, primary key (team, person));
insert into public.open_members values (1, '${FIRST}'), (2, '${FIRST}'), (2, '${SECOND}');
alter table public.items enable row level security; alter table public.members enable row level security; alter table public.open_members enable row level security;
revoke all on public.items, public.members, public.open_members from anon, authenticated;
grant select on public.items, public.members, public.open_members to authenticated; grant insert on public.open_members to authenticated;
create policy seen on public.members for select to authenticated using (true);
create policy seen on public.open_members for select to authenticated using (true);
create policy joined on public.open_members for insert to authenticated with check (person = auth.uid());
create function public.in_team(t int) returns boolean language sql stable security definer set search_path = '' as $$ select exists (select from public.members m where m.team = t and m.person = auth.uid()) $$;
create function public.caller_teams() returns setof int language sql stable security definer set search_path = public as $$ select team from members where person = auth.uid() $$;
create function public.reached(tokens text[]) returns table (caller int, item int) language plpgsql set search_path = '' as $$
begin
  for caller in 1 .. cardinality(tokens) loop
    perform set_config('request.jwt.claims', tokens[caller], true);
    return query select caller, i.id from public.items i;
  end loop;
end $$;
grant execute on function public.reached(text[]), public.in_team(int), public.caller_teams() to authenticated;
`;

interface Token {
  readonly sub?: string;
  readonly app_metadata?: { readonly org?: string; readonly role?: string };
  readonly [claim: string]: unknown;
}

const issued = {
  role: "authenticated",
  aud: "authenticated",
  aal: "aal1",
  is_anonymous: false,
  session_id: "s",
  email: "one@example.test",
  user_metadata: { org: "y", role: "admin" },
};
/** Tokens with and without each claim. */
export const TOKENS: readonly Token[] = [
  { role: "authenticated" },
  { ...issued, sub: FIRST },
  { ...issued, sub: FIRST, app_metadata: { org: "x" } },
  { ...issued, sub: FIRST, app_metadata: { role: "user" }, aal: "aal2", is_anonymous: true },
  { sub: FIRST, role: "authenticated", app_metadata: {} },
];

/** Identifiers of the items that a token may reach: by a person, a team, a tenant or a role of the back end. */
export function allowedTo({ sub, app_metadata: app }: Token): string {
  const ties = [
    ...(sub === undefined
      ? []
      : [`owner = '${sub}' or other = '${sub}'`, `team in (select team from public.members where person = '${sub}')`]),
    ...(app?.org === undefined ? [] : [`org = '${app.org}'`]),
    ...(app?.role === "admin" ? ["true"] : []),
  ];
  return ties.length === 0 ? "false" : ties.join(" or ");
}

const uid = fc.constantFrom("auth.uid()", "(select auth.uid())", "(auth.jwt() ->> 'sub')::uuid");
const person = fc.constantFrom("owner", "other");
const org = fc.constantFrom("auth.jwt() -> 'app_metadata' ->> 'org'", "(select auth.jwt() #>> '{app_metadata,org}')");
const members = fc.constantFrom("members", "members", "open_members");

const tie = fc.oneof(
  fc.tuple(person, uid).map(([a, b]) => `${a} = ${b}`),
  fc.tuple(person, uid).map(([a, b]) => `${b}::text = ${a}::text`),
  fc.tuple(person, uid).map(([a, b]) => `${a} is not distinct from ${b}`),
  uid.map((a) => `${a} in (owner, other)`),
  uid.map((a) => `${a} = any (array[owner, other])`),
  uid.map((a) => `coalesce(other, owner) = ${a}`),
  uid.map((a) => `coalesce(${a}, owner) = owner`),
  uid.map((a) => `case when flag then owner else other end = ${a}`),
  org.map((a) => `org = ${a}`),
  org.map((a) => `${a} in (org, word)`),
  fc
    .tuple(members, uid)
    .map(([table, a]) => `exists (select from public.${table} m where m.team = items.team and m.person = ${a})`),
  fc.tuple(members, uid).map(([table, a]) => `team in (select m.team from public.${table} m where m.person = ${a})`),
  fc
    .tuple(members, uid)
    .map(([table, a]) => `team = (select max(m.team) from public.${table} m where m.person = ${a})`),
  fc
    .tuple(members, uid)
    .map(([table, a]) => `(select count(*) from public.${table} m where m.team = items.team and m.person = ${a}) > 0`),
  fc
    .tuple(members, uid)
    .map(
      ([table, a]) =>
        `exists (select from public.${table} m left join public.members n on n.team = m.team where m.team = items.team and n.person = ${a})`,
    ),
  fc.constantFrom(
    "public.in_team(team)",
    "team in (select public.caller_teams())",
    "auth.jwt() -> 'app_metadata' ->> 'role' = 'admin'",
  ),
);

const trap = fc.constantFrom(
  "word = 'p'",
  "flag",
  "not flag",
  "flag is null",
  "org is null",
  "other is null",
  "owner is null",
  "org = 'x'",
  "team = 1",
  "word like 'p%'",
  "owner = owner",
  "auth.uid() = auth.uid()",
  "auth.uid() is not null",
  "auth.uid() is null",
  "auth.role() = 'authenticated'",
  "auth.role() = 'service_role'",
  "auth.jwt() ? 'session_id'",
  "(auth.jwt() ->> 'is_anonymous')::boolean is false",
  "auth.jwt() ->> 'aal' = 'aal2'",
  "org = auth.jwt() -> 'user_metadata' ->> 'org'",
  "auth.jwt() -> 'user_metadata' ->> 'role' = 'admin'",
  "auth.jwt() -> 'app_metadata' ->> 'role' = 'user'",
  "exists (select from public.members m where m.person = auth.uid())",
  "exists (select from public.members m where m.team = items.team)",
  "not exists (select from public.members m where m.team = items.team and m.person = auth.uid())",
  "exists (select count(*) from public.members m where m.team = items.team and m.person = auth.uid())",
  "owner <> auth.uid()",
  "owner::text = current_setting('request.headers', true)",
  "true",
  "false",
);

/** Conditions, from atoms that tie a row to its owner and from others. */
export const condition: fc.Arbitrary<string> = fc.letrec<{ condition: string }>((self) => ({
  condition: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { arbitrary: tie, weight: 5 },
    { arbitrary: trap, weight: 4 },
    { arbitrary: fc.tuple(self("condition"), self("condition")).map(([a, b]) => `(${a} and ${b})`), weight: 4 },
    { arbitrary: fc.tuple(self("condition"), self("condition")).map(([a, b]) => `(${a} or ${b})`), weight: 3 },
    { arbitrary: self("condition").map((a) => `not (${a})`), weight: 1 },
    { arbitrary: self("condition").map((a) => `(${a}) is not false`), weight: 1 },
    { arbitrary: self("condition").map((a) => `(${a}) is true`), weight: 1 },
    { arbitrary: self("condition").map((a) => `coalesce(${a}, false)`), weight: 1 },
    {
      arbitrary: fc
        .tuple(self("condition"), self("condition"), self("condition"))
        .map(([a, b, c]) => `case when ${a} then ${b} else ${c} end`),
      weight: 1,
    },
  ),
})).condition;

/** The condition of a restrictive policy, or none. */
export const restriction: fc.Arbitrary<string | undefined> = fc.oneof(
  { arbitrary: fc.constant(undefined), weight: 4 },
  { arbitrary: condition, weight: 1 },
);

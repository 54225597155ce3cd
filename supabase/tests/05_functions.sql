-- Who may call the project's functions, and what a user cannot make the service do.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(16);

select isnt_empty(
  $$ select from pg_proc where pronamespace = 'exai'::regnamespace $$,
  'there are functions to look at'
);
select is_empty(
  $$
    select p.oid::regprocedure from pg_proc as p
    where p.pronamespace in ('exai'::regnamespace, 'public'::regnamespace)
      and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a where a.grantee = 0 and a.privilege_type = 'EXECUTE')
      -- What an extension brings is the extension's.
      and not exists (select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
  $$,
  'PUBLIC may not call a function'
);
select is_empty(
  $$
    select p.oid::regprocedure, r.rolname from pg_proc as p cross join pg_roles as r
    where p.pronamespace = 'exai'::regnamespace and r.rolname in ('anon', 'authenticated')
      and has_function_privilege(r.oid, p.oid, 'execute')
  $$,
  'users call none of them'
);

insert into auth.users (id) values ('00000000-0000-4000-8000-00000000000a'), ('00000000-0000-4000-8000-00000000000b');
create function pg_temp.file(path text) returns text language sql as $$
  select format('insert into public.files (id, user_id, name, size_bytes, storage_path) values (%L, ''00000000-0000-4000-8000-00000000000a'', ''x'', 1, %L)', gen_random_uuid(), path)
$$;
select lives_ok(pg_temp.file('00000000-0000-4000-8000-00000000000a/' || p), format('own path: %s', p))
from unnest(array['x', 'a/b.txt', '.hidden', 'a..b']) as p;
select throws_ok(pg_temp.file(p), '23514', null, format('not a path of another user: %s', p))
from unnest(array[
  'x',
  '00000000-0000-4000-8000-00000000000b/x',
  '00000000-0000-4000-8000-00000000000a/../00000000-0000-4000-8000-00000000000b/x',
  '00000000-0000-4000-8000-00000000000a//x',
  '00000000-0000-4000-8000-00000000000a/'
]) as p;
select throws_ok(
  $$ update public.files set storage_path = '00000000-0000-4000-8000-00000000000b/x' where storage_path = '00000000-0000-4000-8000-00000000000a/x' $$,
  '23514', null, 'no change to another user''s path'
);

select ok(not has_column_privilege('authenticated', 'public.provider_file_uploads', c, p), format('users cannot %s %s', p, c))
from (values ('provider_file_id', 'insert'), ('provider_file_id', 'update'), ('status', 'update')) as x (c, p);

select * from finish();
rollback;

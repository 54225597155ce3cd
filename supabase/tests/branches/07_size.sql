-- The branch is as large as main was; autovacuum and what main wrote since may differ by a tenth and a few pages. One
-- without main's rows may be smaller.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(2);

select is_empty(
  $$ select key, value, pg_table_size(to_regclass(key)) from jsonb_each(current_setting('exai.main')::jsonb -> 'tables')
     where pg_table_size(to_regclass(key)) - value::bigint > value::bigint / 10 + 262144
       or (current_setting('exai.data')::bool and value::bigint - pg_table_size(to_regclass(key)) > value::bigint / 10 + 262144) $$,
  'the tables have main''s size'
);
select is_empty(
  $$ select key, value, pg_relation_size(to_regclass(key)) from jsonb_each(current_setting('exai.main')::jsonb -> 'indexes')
     where pg_relation_size(to_regclass(key)) - value::bigint > value::bigint / 10 + 262144
       or (current_setting('exai.data')::bool and value::bigint - pg_relation_size(to_regclass(key)) > value::bigint / 10 + 262144) $$,
  'the indexes have main''s size'
);

select * from finish();
rollback;

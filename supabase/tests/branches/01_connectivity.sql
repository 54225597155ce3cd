-- The branch answers, and has what main has. Main's side of the comparison is in the setting exai.main.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(4);

select is((select 1), 1, 'the branch answers');
select is_empty(
  $$ select value from jsonb_array_elements_text(current_setting('exai.main')::jsonb -> 'extensions') where value not in (select extname from pg_extension) $$,
  'the branch has all extensions of main'
);
select is_empty(
  $$ select key from jsonb_each(current_setting('exai.main')::jsonb -> 'tables') where to_regclass(key) is null $$,
  'the branch has all tables that main had'
);
select is_empty(
  $$ select key from jsonb_each(current_setting('exai.main')::jsonb -> 'indexes') where to_regclass(key) is null $$,
  'the branch has all indexes that main had'
);

select * from finish();
rollback;

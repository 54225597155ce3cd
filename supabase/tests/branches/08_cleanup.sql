-- Nothing is left of what the tests wrote. This file is the last.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(1);

select is_empty(
  $$ select relname from pg_class where relname like 'exai\_branch\_%' $$, 'no object of the tests is left'
);

select * from finish();
rollback;

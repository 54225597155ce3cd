-- The schema of the branch can be changed, and main's stays the same.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(4);

select lives_ok('create table public.exai_branch_new (id int primary key, n int not null)', 'a table can be made');
create index exai_branch_new_n on public.exai_branch_new (n);
select has_index('public', 'exai_branch_new', 'exai_branch_new_n', 'an index can be added');
alter table public.exai_branch_probe add column note text default 'new';
select results_eq('select note from public.exai_branch_probe', $$ values ('new') $$, 'a column can be added to a table with rows');
select is(current_setting('exai.main')::jsonb ->> 'changed', '', 'no object of main has changed meanwhile');

select * from finish();
rollback;

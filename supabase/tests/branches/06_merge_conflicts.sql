-- Two changes of one column, merged from the schema that had neither: what the merge said is in exai.merge.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(3);

select is(
  current_setting('exai.merge')::jsonb -> 'conflicts', '["column public.exai_branch_probe.n"]',
  'two types of one column are a conflict, and the only one'
);
select is(
  current_setting('exai.merge')::jsonb -> 'versions', '["bigint", "numeric"]', 'the conflict has both versions'
);
select is(
  current_setting('exai.merge')::jsonb ->> 'resolved', 'numeric', 'the side that is taken wins, and no conflict is left'
);

select * from finish();
rollback;

-- Queries of the branch answer in time, by its indexes.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(2);

select performs_ok('select count(*) from public.messages', 60000, 'the messages are counted within a minute');
set local enable_seqscan = off;
create function pg_temp.plan_of(query text) returns setof text language plpgsql as $$ begin return query execute 'explain ' || query; end $$;
select alike(
  (select string_agg(line, ' ') from pg_temp.plan_of('select from public.files where user_id = gen_random_uuid()') as line),
  '%files%user%', 'the files of a user are found by an index'
);

select * from finish();
rollback;

-- The constraints hold.
begin;
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;

select plan(2);

select throws_ok(
  $$ insert into public.conversations (user_id, title) values ('00000000-0000-4000-8000-0000000000ff', 'none') $$,
  '23503', null, 'a conversation of a user who does not exist is refused'
);
insert into auth.users (id) values ('00000000-0000-4000-8000-0000000000ff');
select throws_ok(
  $$ insert into auth.users (id) values ('00000000-0000-4000-8000-0000000000ff') $$,
  '23505', null, 'a user who exists already is refused'
);

select * from finish();
rollback;

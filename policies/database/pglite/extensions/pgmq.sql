-- cspell:disable
-- Shape of pgmq 1.5: a queue and its archive are tables, which only their owner reads.
create table pgmq.meta (queue_name varchar not null unique, is_partitioned boolean not null, is_unlogged boolean not null, created_at timestamptz not null default now());
create type pgmq.message_record as (msg_id bigint, read_ct integer, enqueued_at timestamptz, vt timestamptz, message jsonb, headers jsonb);
create type pgmq.queue_record as (queue_name varchar, is_partitioned boolean, is_unlogged boolean, created_at timestamptz);
create function pgmq.create(queue_name text) returns void language plpgsql as $$
begin
  execute format('create table if not exists pgmq.%I (msg_id bigint generated always as identity primary key, read_ct integer not null default 0, enqueued_at timestamptz not null default now(), vt timestamptz not null, message jsonb, headers jsonb)', 'q_' || queue_name);
  execute format('create table if not exists pgmq.%I (msg_id bigint primary key, read_ct integer not null default 0, enqueued_at timestamptz not null default now(), archived_at timestamptz not null default now(), vt timestamptz not null, message jsonb, headers jsonb)', 'a_' || queue_name);
  insert into pgmq.meta values (queue_name, false, false) on conflict do nothing;
end $$;
create function pgmq.drop_queue(queue_name text) returns boolean language plpgsql as $$
begin
  execute format('drop table if exists pgmq.%I, pgmq.%I', 'q_' || queue_name, 'a_' || queue_name);
  delete from pgmq.meta m where m.queue_name = drop_queue.queue_name;
  return true;
end $$;
create function pgmq.send(queue_name text, msg jsonb, delay integer default 0) returns setof bigint language sql as $$ select 1::bigint where false $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[], delay integer default 0) returns setof bigint language sql as $$ select 1::bigint where false $$;
create function pgmq.read(queue_name text, vt integer, qty integer) returns setof pgmq.message_record language sql as $$ select null::pgmq.message_record where false $$;
create function pgmq.pop(queue_name text) returns setof pgmq.message_record language sql as $$ select null::pgmq.message_record where false $$;
create function pgmq.delete(queue_name text, msg_id bigint) returns boolean language sql as $$ select false $$;
create function pgmq.archive(queue_name text, msg_id bigint) returns boolean language sql as $$ select false $$;
create function pgmq.purge_queue(queue_name text) returns bigint language sql as $$ select 0::bigint $$;
create function pgmq.list_queues() returns setof pgmq.queue_record language sql as $$ select queue_name, is_partitioned, is_unlogged, created_at from pgmq.meta $$;

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apply } from "../../policies/database/apply.ts";
import { openPglite, type Postgres } from "../../policies/database/postgres.ts";

// cspell:ignore ctid jsonb tableoid tablename

const SETUP = `create type kind as enum ('a', 'b', 'c');
create table authors (id uuid primary key default gen_random_uuid(), name text not null);
create table books (id bigint generated always as identity primary key, author_id uuid not null references authors (id), title text not null,
  status text not null default 'draft' check (status in ('draft', 'published')), kind kind not null, pages int not null check (pages >= 0), rating numeric,
  meta jsonb not null default '{}', tags text[] not null default '{}', expires_at timestamptz, deleted_at timestamptz, is_hidden boolean not null default false, created_at timestamptz not null default now());
create table reviews (id uuid primary key default gen_random_uuid(), book_id bigint not null references books (id) on delete cascade, email text, stars smallint);
create view shown as select * from books;`;
const WIPE = "create or replace function wipe() returns void language sql as $$ delete from books where pages >= 0 $$;";

/** Nothing is left of the table. */
const EVERY_ROW = [
  "delete from books where created_at < 'infinity'",
  "delete from books where created_at < '2999-01-01'",
  "delete from books where created_at <= now()",
  "delete from books where length(title) >= 0",
  "delete from books where abs(pages) >= 0",
  "delete from books where id > 0",
  "delete from books where id <> -1",
  "delete from books where id % 2 in (0, 1)",
  "delete from books where title like '%'",
  "delete from books where coalesce(rating, 0) >= 0",
  "delete from books where deleted_at is null or deleted_at is not null",
  "delete from books where status in ('draft', 'published')",
  "delete from books where kind in ('a', 'b', 'c')",
  "delete from books where is_hidden or not is_hidden",
  "delete from books where meta @> '{}'",
  "delete from books where cardinality(tags) >= 0",
  "delete from books where tableoid = 'books'::regclass",
  "delete from books where ctid = any (array(select ctid from books))",
  "delete from books where author_id in (select id from authors)",
  "delete from books where id not in (select -1)",
  "delete from books where (select count(*) from authors) >= 0",
  "delete from authors where id <> '00000000-0000-0000-0000-000000000000'",
  "delete from reviews r using books b where b.id = r.book_id",
  "delete from reviews r where exists (select from books b where b.id = r.book_id)",
  "delete from shown where length(title) >= 0",
  "with gone as (delete from books where length(title) > -1 returning id) select count(*) from gone",
  "merge into books b using authors a on a.id = b.author_id when matched then delete",
  "do $$ declare b record; begin for b in select id from books loop delete from books where id = b.id; end loop; end $$",
  "do $$ declare t text := 'books'; begin execute 'delete from ' || t || ' where length(title) >= 0'; end $$",
  "do $$ declare t text; begin for t in select tablename from pg_tables where tablename = 'books' loop execute format('delete from %I where id > 0', t); end loop; end $$",
  "select wipe()",
];

/** Some rows stay. */
const SOME_ROWS = [
  "delete from books where created_at < now() - interval '90 days'",
  "delete from books where created_at < '2024-01-01'",
  "delete from books where expires_at < now()",
  "delete from books where expires_at is not null and expires_at <= now()",
  "delete from books where deleted_at is not null",
  "delete from books where status <> 'published'",
  "delete from books where kind in ('a', 'b')",
  "delete from books where not is_hidden and pages = 0",
  "delete from books where pages > 0",
  "delete from books where id in (1, 2, 3)",
  "delete from books where id < 100",
  "delete from books where title like 'Test%'",
  "delete from books where title <> 'kept'",
  "delete from books where title = ''",
  "delete from books where meta ? 'legacy'",
  "delete from books where 'old' = any (tags)",
  "delete from reviews where email not like '%@example.com'",
  "delete from reviews where email is null",
  "delete from reviews where stars = 0",
  "delete from reviews a using reviews b where a.ctid < b.ctid and a.book_id = b.book_id",
  "delete from reviews where id in (select id from (select id, row_number() over (partition by book_id) as n from reviews) r where n > 1)",
  "delete from reviews r using books b where b.id = r.book_id and b.is_hidden",
  "delete from reviews where book_id not in (select id from books)",
  "delete from authors a where not exists (select from books b where b.author_id = a.id)",
  "with old as (select id from books where created_at < now() - interval '1 year') delete from books where id in (select id from old)",
  "do $$ declare b record; begin for b in select id from books where status = 'draft' loop delete from books where id = b.id; end loop; end $$",
];

/** What is overwritten for all rows, and how a statement does it. */
const OVERWRITTEN: readonly (readonly [sql: string, ...columns: string[]])[] = [
  ["update books set title = ''", "title"],
  ["update books set title = null, pages = 0 where true", "title", "pages"],
  ["update books set (title, pages) = ('', 0)", "title", "pages"],
  ["update books set rating = random() where id = id", "rating"],
  ["with done as (update books set meta = '{}' returning id) select count(*) from done", "meta"],
  ["do $$ begin update books set status = 'draft'; end $$", "status"],
  ["merge into books b using (select 1) s on true when matched then update set title = 'x'", "title"],
  ["alter table reviews alter column email type text using ''", "email"],
];

/** Each row keeps its value, or gets another one. */
const KEPT = [
  "update books set title = lower(title)",
  "update books set title = '' where title = 'none'",
  "update books set rating = 0 where rating is null",
  "update books set rating = r.stars from (select book_id, avg(stars) as stars from reviews group by 1) r where r.book_id = books.id",
  "update books set tags[1] = 'x'",
  "update books set title = default where id = 1",
  "alter table books add column edition int; update books set edition = 1",
  "alter table reviews alter column email type text using lower(email)",
  "create table copies (id int, note text); update copies set note = ''",
  "create function later() returns trigger language plpgsql as $$ begin update books set title = ''; return new; end $$",
];

describe("a deletion is tried on made-up rows", () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await openPglite([]);
    await apply(postgres, [{ file: "1.sql", text: SETUP }]);
  });
  afterAll(() => postgres.close());
  const removedBy = async (sql: string) => {
    const { statements } = await apply(postgres, [
      { file: "2.sql", text: WIPE },
      { file: "3.sql", text: sql },
    ]);
    expect(
      statements.flatMap(({ error }) => error ?? []),
      sql,
    ).toEqual([]);
    return statements.flatMap(({ removed }) => removed);
  };

  it.each(EVERY_ROW)("and leaves nothing: %s", async (sql) => {
    const table = /^delete from (authors|reviews)/.exec(sql)?.[1] ?? "books";
    expect(await removedBy(sql)).toContain(`every row of public.${table}`);
  });

  it.each(SOME_ROWS)("and leaves rows: %s", async (sql) => {
    expect(await removedBy(sql)).toEqual([]);
  });

  it.each(OVERWRITTEN)("a value of all rows is lost: %s", async (sql, ...columns) => {
    expect(await removedBy(sql)).toEqual(
      columns.map((column) => `every value of column public.${column === "email" ? "reviews" : "books"}.${column}`),
    );
  });

  it.each(KEPT)("values stay: %s", async (sql) => {
    expect(await removedBy(sql)).toEqual([]);
  });

  it("a table that is no longer logged loses its rows in a restore", async () => {
    expect(await removedBy("alter table reviews set unlogged")).toEqual([
      "the write-ahead log of table public.reviews",
    ]);
    expect(await removedBy("create unlogged table scratch (id int)")).toEqual([]);
    expect(await removedBy("alter table reviews set logged")).toEqual([]);
  });

  it("and is undone", async () => {
    const [row] = await postgres.run(
      "select (select count(*) from books)::int + (select count(*) from authors)::int as rows",
    );
    expect(row?.rows).toBe(0);
  });
});

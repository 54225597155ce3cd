import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { read } from "../../../policies/database/read.ts";

// cspell:ignore moddatetime

const prelude = {
  file: "supabase/prelude.sql",
  text: readFileSync(new URL("../../../supabase/prelude.sql", import.meta.url), "utf8"),
};

/** What PostgreSQL does not accept of a migration. */
async function refused(text: string): Promise<readonly string[]> {
  const { statements } = await read(prelude, [{ file: "supabase/migrations/20260101000000_one.sql", text }]);
  return statements.flatMap(({ error }) => (error === undefined ? [] : [error]));
}

it("migrations find the extensions that a project of Supabase has, and those in the schema extensions, without their schema", async () => {
  expect(
    await refused(`create extension if not exists vector with schema extensions;
create extension if not exists moddatetime schema extensions;
create table public.documents (id uuid primary key default uuid_generate_v4(), other uuid default extensions.uuid_generate_v4(), embedding vector(1536), secret text default encode(gen_random_bytes(16), 'hex'), updated_at timestamptz);
create extension if not exists "uuid-ossp";
create trigger touched before update on public.documents for each row execute procedure moddatetime (updated_at);
create function public.matching(wanted vector(1536)) returns setof public.documents language sql stable as $$ select * from public.documents order by embedding <=> wanted $$;
insert into public.documents (secret) values (crypt('x', gen_salt('bf')));`),
  ).toEqual([]);
});

it("an extension that the migrations create themselves is not there before", async () => {
  expect(await refused("create extension pgcrypto; select public.digest('x', 'sha256');")).toEqual([]);
  expect(await refused("select no_such_digest('x');")).toHaveLength(1);
});
